"""A simulated survey as a folder: the catalogue with votes and the truth, and the images; the same bytes for a seed."""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path

from mergerscope.progress import progress
from mergerscope.simulate.crew import in_order
from mergerscope.simulate.fits import fits_bytes
from mergerscope.simulate.instrument import SURVEYS
from mergerscope.simulate.light import galsim
from mergerscope.simulate.mergers import Merger, follow
from mergerscope.simulate.picture import jpeg, picture
from mergerscope.simulate.scene import Scene, draw_scene, sketch, stream
from mergerscope.simulate.truth import MergerTruth
from mergerscope.simulate.votes import VOTE_COLUMNS, cast_votes
from mergerscope.survey.votes import TRUTH

__all__ = ["Survey", "simulate_survey"]

CHUNK = 64
"""Galaxies that one process makes at a time; their encounters are followed together."""
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest date a zip can hold; the time of writing would change the bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is made.

    Attributes:
        seed: of everything that is drawn.
        survey: sdss, legacy or hsc.
        file_format: ``table`` for JPEGs in a zip, ``fits`` for a FITS file a galaxy in ``images/``.
        side_px: pixels a side.
        merger_fraction: share of the galaxies that are encounters.
    """

    seed: int = 0
    survey: str = "sdss"
    file_format: str = "table"
    side_px: int = 424
    merger_fraction: float = 0.08


@dataclass(frozen=True, slots=True)
class _Made:
    name: str
    row: list[str]
    data: bytes


def simulate_survey(out: Path, galaxies: int, what: Survey, workers: int = 1) -> None:
    """Write ``catalog.csv`` and the images of a made-up survey into the folder ``out``.

    Galaxy ``i`` depends on ``what`` and ``i`` alone: a longer survey begins with a shorter one, and the number of
    workers changes nothing but the time.

    Args:
        out: folder, made if it is not there; the files that are written are replaced.
        galaxies: how many.
        what: which sky.
        workers: processes.

    Raises:
        MissingExtraError: GalSim is not installed.
    """
    galsim()
    out.mkdir(parents=True, exist_ok=True)
    chunks = [(what, range(start, min(start + CHUNK, galaxies))) for start in range(0, galaxies, CHUNK)]
    header = ("id", "filename", "ra_deg", "dec_deg", *VOTE_COLUMNS, *TRUTH)
    table, archive = out / "catalog.csv.part", out / "images.zip.part"
    packed = what.file_format == "table"
    with ExitStack() as stack:
        file = stack.enter_context(table.open("w", encoding="utf-8", newline=""))
        images = stack.enter_context(zipfile.ZipFile(archive, "w")) if packed else None
        advance = stack.enter_context(progress("simulate", galaxies, "galaxies"))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for made in in_order(_make, chunks, workers):
            for one in made:
                writer.writerow(one.row)
                if images is not None:
                    _add(images, one.name, one.data)
                else:
                    _write(out / "images" / one.name, one.data)
            advance(len(made))
    if packed:
        archive.replace(out / "images.zip")
    table.replace(out / "catalog.csv")


def _make(task: tuple[Survey, range]) -> list[_Made]:
    what, indices = task
    sketches = [sketch(what.seed, index, what.merger_fraction) for index in indices]
    plans = [one.plan for one in sketches if one.plan is not None]
    mergers: Iterator[Merger] = iter(follow(plans) if plans else [])
    made = []
    for one in sketches:
        merger = next(mergers) if one.plan is not None else None
        native = what.file_format == "fits"
        scene = draw_scene(what.seed, one, merger, SURVEYS[what.survey], what.side_px, native)
        made.append(_finish(what, one.index, scene))
    return made


def _finish(what: Survey, index: int, scene: Scene) -> _Made:
    rng = stream(what.seed, index, 5)
    identity = f"sim{index:07d}"
    ra_deg, dec_deg = rng.uniform(120, 240), math.degrees(math.asin(rng.uniform(0, 0.85)))
    votes = cast_votes(scene.truth, rng)
    cells = [f"{ra_deg:.6f}", f"{dec_deg:.6f}", *(_cell(votes[name]) for name in VOTE_COLUMNS), *_truth_cells(scene)]
    if what.file_format == "fits":
        name, data = f"{identity}.fits", fits_bytes(scene, identity, round(ra_deg, 6), round(dec_deg, 6))
    else:
        name, data = f"{identity}.jpg", jpeg(picture(scene, what.side_px))
    return _Made(name, [identity, name, *cells], data)


def _truth_cells(scene: Scene) -> list[str]:
    """The truth in the order of `TRUTH`; blank where an encounter's number has no meaning."""
    known: dict[str, object] = {
        "magnitude_r": scene.magnitude,
        "redshift": scene.redshift,
        "petro_r90_arcsec": scene.petro_r90_arcsec,
        "psf_fwhm_arcsec": scene.night.psf[1].fwhm_arcsec,
    }
    for field in fields(scene.truth):
        known[field.name] = getattr(scene.truth, field.name)
    for field in fields(MergerTruth):
        known[field.name] = getattr(scene.truth.merger, field.name) if scene.truth.merger else ""
    return [_cell(known[name]) for name in TRUTH]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, ZIP_DATE)
    member.create_system = 3
    member.external_attr = 0o644 << 16
    archive.writestr(member, data)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)

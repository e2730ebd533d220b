"""A simulated survey as a folder: the catalogue with votes and the truth, and the images; the same bytes for a seed."""

from __future__ import annotations

import csv
import math
import re
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields
from pathlib import Path

from mergerscope.counts import plural
from mergerscope.errors import MergerscopeError
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

__all__ = ["Recipe", "simulate_survey"]

CHUNK = 64
"""Galaxies that one process makes at a time, at most; their encounters are followed together."""
CHUNK_BYTES = 32 * 2**20
"""Of images that one process makes at a time, about: a few such chunks a worker wait to be written."""
OWN_IMAGE = re.compile(r"sim\d{7,}\.(fits|jpg)")
"""Names of images that this module writes, and so may delete."""
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest date a zip can hold; the time of writing would change the bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What sky is made, and how it is written.

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
    merger_fraction: float = 0.055


@dataclass(frozen=True, slots=True)
class _Made:
    name: str
    row: list[str]
    data: bytes


def simulate_survey(out: Path, galaxies: int, what: Recipe, workers: int = 1) -> None:
    """Write ``catalog.csv`` and the images of a made-up survey into the folder ``out``.

    Galaxy ``i`` depends on ``what`` and ``i`` alone: a longer survey begins with a shorter one, and the number of
    workers changes nothing but the time.

    Args:
        out: folder, made if it is not there; its ``catalog.csv``, ``images.zip`` and ``images/`` are replaced as a
            whole, once all is made.
        galaxies: how many.
        what: which sky.
        workers: processes.

    Raises:
        MissingExtraError: GalSim is not installed.
        MergerscopeError: ``images/`` holds other files than a simulated survey's; ``out`` cannot be written; or a
            worker died. What was there before is left as it was.
    """
    galsim()
    table = out / "catalog.csv.part"
    images = out / ("images.zip.part" if what.file_format == "table" else "images.part")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for folder in (out / "images", out / "images.part"):
            _refuse_others(folder)
        _refuse_other_tables(out)
        _discard_parts(out)
        try:
            _write_parts(table, images, galaxies, what, workers)
            # The old catalogue goes first and the new comes last: ids repeat, so one beside the other's images misleads
            (out / "catalog.csv").unlink(missing_ok=True)
            (out / "images.zip").unlink(missing_ok=True)
            _remove_images(out / "images")
            images.replace(images.with_suffix(""))
            table.replace(out / "catalog.csv")
        finally:
            _discard_parts(out)
    except BrokenPipeError:
        # the reader of the progress has left: no fault of the folder
        raise
    except OSError as error:
        raise MergerscopeError(
            f"The survey cannot be written to {error.filename or out}: {error.strerror or error}. Give another folder "
            "with --out, or put that right, and run it again."
        ) from error


def _write_parts(table: Path, images: Path, galaxies: int, what: Recipe, workers: int) -> None:
    size = _chunk(what)
    chunks = [(what, range(start, min(start + size, galaxies))) for start in range(0, galaxies, size)]
    with ExitStack() as stack:
        file = stack.enter_context(table.open("w", encoding="utf-8", newline=""))
        if what.file_format == "table":
            archive = stack.enter_context(zipfile.ZipFile(images, "w"))
        else:
            archive = None
            images.mkdir()
        advance = stack.enter_context(progress("simulate", galaxies, "galaxies"))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "filename", "ra_deg", "dec_deg", *VOTE_COLUMNS, *TRUTH))
        for made in stack.enter_context(closing(in_order(_make, chunks, workers))):
            for one in made:
                writer.writerow(one.row)
                if archive is not None:
                    _add(archive, one.name, one.data)
                else:
                    (images / one.name).write_bytes(one.data)
            advance(len(made))


def _chunk(what: Recipe) -> int:
    """Return how many galaxies a process makes at a time; the result does not depend on it, the memory does."""
    # float32 in each band; a JPEG takes less than a byte a pixel
    per_pixel = 4 * len(SURVEYS[what.survey].bands) if what.file_format == "fits" else 1
    return max(1, min(CHUNK, CHUNK_BYTES // (per_pixel * what.side_px**2)))


def _refuse_others(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise MergerscopeError(f"{folder} is no plain folder and would be replaced. Move it, or give another --out.")
    others = sorted(path.name for path in folder.iterdir() if not _own(path)) if folder.exists() else []
    if others:
        raise MergerscopeError(
            f"{folder} holds {plural(len(others), 'file')} that no simulated survey wrote, such as {others[0]}, and "
            "would be replaced. Move them, or give another folder with --out."
        )


def _refuse_other_tables(out: Path) -> None:
    table, archive = out / "catalog.csv", out / "images.zip"
    if table.is_file():
        with table.open(encoding="utf-8", errors="replace") as file:
            own = "truth_class" in file.readline().strip().split(",")
    else:
        own = not archive.exists()
    if not own:
        raise MergerscopeError(
            f"{out} holds a survey that was not simulated ({table.name} without a column truth_class, or "
            f"{archive.name} alone), and it would be replaced. Move it, or give another --out."
        )


def _own(path: Path) -> bool:
    return OWN_IMAGE.fullmatch(path.name) is not None and not path.is_dir()


def _remove_images(folder: Path) -> None:
    """Remove a folder of simulated images, one by one: whatever else came into it meanwhile makes `rmdir` fail."""
    if folder.is_dir():
        for path in folder.iterdir():
            if _own(path):
                path.unlink()
        folder.rmdir()


def _discard_parts(out: Path) -> None:
    for name in ("catalog.csv.part", "images.zip.part"):
        (out / name).unlink(missing_ok=True)
    _remove_images(out / "images.part")


def _make(task: tuple[Recipe, range]) -> list[_Made]:
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


def _finish(what: Recipe, index: int, scene: Scene) -> _Made:
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
        "psf_fwhm_arcsec": scene.night.psf[1].width_arcsec(scene.night.pixel_arcsec),
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

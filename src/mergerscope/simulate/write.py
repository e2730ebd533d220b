"""A simulated survey as a folder: catalog.csv, truth.csv and images.zip, the same bytes for the same seed."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mergerscope.progress import progress
from mergerscope.simulate.scene import Truth, draw_scene
from mergerscope.simulate.votes import VOTE_COLUMNS, cast_votes

__all__ = ["simulate_survey"]

SIZE = 128
"""Pixels a side."""
JPEG_QUALITY = 84
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest date a zip can hold; the time of writing would change the bytes."""


def simulate_survey(out: Path, galaxies: int, seed: int) -> None:
    """Write a survey of made-up galaxies into the folder ``out``, in the table format.

    Galaxy ``i`` depends on ``seed`` and ``i`` alone, so a longer survey begins with a shorter one.

    Args:
        out: folder, made if it is not there; the three files in it are replaced.
        galaxies: how many.
        seed: of everything that is drawn.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows: list[list[object]] = []
    truths: list[tuple[str, Truth]] = []
    archive = out / "images.zip.part"
    with zipfile.ZipFile(archive, "w") as images, progress("simulate", galaxies, "galaxies") as advance:
        for index in range(galaxies):
            rng = np.random.default_rng([seed, index])
            name = f"sim{index:06d}"
            scene = draw_scene(SIZE, rng)
            _add(images, f"{name}.jpg", _jpeg(scene.image))
            ra_deg, dec_deg = rng.uniform(120, 240), math.degrees(math.asin(rng.uniform(0, 0.85)))
            votes = cast_votes(scene.truth, rng)
            rows.append([name, f"{name}.jpg", f"{ra_deg:.6f}", f"{dec_deg:.6f}", *votes.values()])
            truths.append((name, scene.truth))
            advance()
    archive.replace(out / "images.zip")
    _write_csv(out / "catalog.csv", ("id", "filename", "ra_deg", "dec_deg", *VOTE_COLUMNS), rows)
    _write_csv(
        out / "truth.csv",
        ("id", "kind", "separation_px", "stripped", "mass_ratio", "since_pericentre"),
        (
            [name, t.kind, *(f"{x:.4g}" for x in (t.separation_px, t.stripped, t.mass_ratio, t.since_pericentre))]
            for name, t in truths
        ),
    )


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, ZIP_DATE)
    member.create_system = 3
    member.external_attr = 0o644 << 16
    archive.writestr(member, data)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    part.replace(path)

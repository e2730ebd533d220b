"""A folder of HDF5 files as a survey, with labels for some of their galaxies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mergerscope.counts import plural
from mergerscope.errors import SurveyError
from mergerscope.survey.fields import FieldError, parse_position, parse_reddening
from mergerscope.survey.flux.hdf5 import ImageFile, hdf5_files
from mergerscope.survey.flux.labels import Labelled, Source, open_labelled
from mergerscope.survey.records import Galaxy, ImageRefusedError, Refusal

__all__ = ["open_hdf5"]

ROWS = 65536
"""Of the columns, read at once."""


def open_hdf5(root: Path, target: str) -> Labelled:
    """Open every HDF5 file at ``root``; one that cannot be used is refused as a whole, and a note says so.

    A galaxy's id is its number in the column ``inds`` if all files have one and no number is there twice, else the
    file's name and the row: ``images_000_123``.

    Raises:
        SurveyError: no HDF5 file, none that can be used, no labels, or labels without what is needed.
        MissingExtraError: h5py is not installed.
    """
    names = hdf5_files(root)
    if not names:
        raise SurveyError(f"{root} has no HDF5 file (.h5 or .hdf5).")
    usable, refused, strange = _usable(root, names)
    if not usable:
        raise SurveyError(f"{root} has no HDF5 file that can be used. The first, {refused[0].source}, was refused "
                          f"({refused[0].reason}): {refused[0].detail}.")  # fmt: skip
    inds = _unique_inds(root, usable)

    def items() -> Iterator[Galaxy | Refusal]:
        yield from refused
        for name in usable:
            yield from _galaxies(root, name, inds=inds)

    notes = [f"{one.source} is left out as a whole ({one.reason}): {one.detail}" for one in refused]
    if strange:
        notes.append(f"`pixel_arcsec` of images is no side of a pixel on the sky in {plural(len(strange), 'file')}, "
                     f"the first {strange[0]}, and is not used; give one number, in arc seconds")  # fmt: skip
    if not inds:
        notes.append("ids are made of file and row, for `inds` is missing or names a galaxy twice")
    return open_labelled(root, target, "hdf5", Source(items, tuple(notes)))


def _usable(root: Path, names: list[str]) -> tuple[list[str], list[Refusal], list[str]]:
    """Return the files that can be used, the others, and those of the first whose side of a pixel is strange."""
    usable: list[str] = []
    strange: list[str] = []
    refused: list[Refusal] = []
    first: tuple[str, tuple[int, int, int], tuple[str, ...]] | None = None
    for name in names:
        try:
            with ImageFile(root / name) as file:
                strange_side = file.strange_side
                for column in ("ra", "dec", "ebv", "inds"):
                    file.column(column)  # whole, for its damage would show in the middle of a survey
                if (file.column("ra", 0, 1) is None) != (file.column("dec", 0, 1) is None):
                    raise ImageRefusedError("position-incomplete", f"{name} has one of ra and dec without the other")
                if first is None:
                    first = (name, file.image_shape, file.bands)
                elif file.image_shape != first[1] or file.bands != first[2]:
                    raise ImageRefusedError(
                        "mixed-sizes", f"{name} has images {file.image_shape} of {', '.join(file.bands)}; "
                        f"{first[0]} has {first[1]} of {', '.join(first[2])}",
                    )  # fmt: skip
        except ImageRefusedError as problem:
            lost = None if problem.reason == "zip-bomb" else _rows_of(root / name)
            more = "" if lost is None else f"; lost with it: {plural(lost, 'galaxy', 'galaxies')}"
            refused.append(Refusal(Path(name).stem, name, "catalog", problem.reason, problem.detail + more))
        else:
            usable.append(name)
            strange += [name] * strange_side
    return usable, refused, strange


def _rows_of(path: Path) -> int | None:
    """Return how many galaxies a file that cannot be used seems to hold, by its images or else its columns."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            for name, axes in (("images", 4), ("inds", 1), ("ra", 1), ("dec", 1)):
                # what lies outside of the file is not looked at
                data = file.get(name) if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
                if isinstance(data, h5py.Dataset) and len(data.shape or ()) == axes:
                    return int(data.shape[0])
    except (OSError, RuntimeError):
        return None
    return None


def _unique_inds(root: Path, names: list[str]) -> bool:
    parts: list[npt.NDArray[Any]] = []
    for name in names:
        with ImageFile(root / name) as file:
            inds = file.column("inds")
        # a float holds no whole number above 2^53 for certain
        if inds is None or inds.dtype.kind not in "iu" or (inds < 0).any():
            return False
        parts.append(inds)
    every = np.concatenate(parts)
    return len(np.unique(every)) == len(every)


def _galaxies(root: Path, name: str, *, inds: bool) -> Iterator[Galaxy | Refusal]:
    stem = Path(name).stem
    with ImageFile(root / name) as file:
        for start in range(0, len(file), ROWS):
            stop = min(start + ROWS, len(file))
            columns = {column: _values(file, column, start, stop) for column in ("inds", "ra", "dec", "ebv")}
            for row in range(start, stop):
                ind, ra, dec, ebv = (values[row - start] for values in columns.values())
                identity = str(ind) if inds else f"{stem}_{row}"
                reference = f"{name}::{row}"
                try:
                    place = parse_position((_text(ra), _text(dec)), ("ra", "dec"))
                    reddening = parse_reddening(_text(ebv), "ebv")
                except FieldError as error:
                    yield Refusal(identity, reference, "catalog", error.reason, error.detail)
                else:
                    yield Galaxy(identity, reference, *place, {}, reddening)


def _values(file: ImageFile, column: str, start: int, stop: int) -> list[Any]:
    found = file.column(column, start, stop)
    return [None] * (stop - start) if found is None else found.tolist()


def _text(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else repr(value)

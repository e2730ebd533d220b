"""Pictures from outside of the survey, cut and scaled as the survey's are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mergerscope.errors import QueryError
from mergerscope.shards.cutout import make_cutout
from mergerscope.survey.images import ImageStore
from mergerscope.survey.places import ENDINGS
from mergerscope.survey.records import ImageRefusedError, Refusal

__all__ = ["FIELDS", "Picture", "read_pictures"]

Array = np.ndarray[Any, Any]

FIELDS = (0.2, 0.3, 0.5, 0.7)
"""Of a picture's shorter side, what is tried where nobody says how much of it the survey would have kept: see
docs/search.md for how that was measured."""

STAGE = "search"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture.

    Attributes:
        name: of its file.
        cutouts: (n, C, H, W) uint8, one a field.
        fields: (n,) each as a fraction of the picture's shorter side.
    """

    name: str
    cutouts: Array
    fields: tuple[float, ...]


def read_pictures(asked: Sequence[Path], field: float | None, size: int) -> tuple[list[Picture], list[Refusal]]:
    """Read pictures and folders of pictures.

    A picture in a folder that cannot be used is refused, and the others count. Of a folder, not of those within it,
    the files with the ending of an image are read, in the order of their names.

    Args:
        asked: files and folders.
        field: the part that is kept; None keeps each of `FIELDS`.
        size: pixels a side of a cutout.

    Raises:
        QueryError: a picture that was named is not there or cannot be used, or none of a folder can.
    """
    found: list[Picture] = []
    refused: list[Refusal] = []
    # A file that is named, and lies in a folder that is named as well, would count twice.
    named = {path.resolve(): path for path in asked}
    for path in named.values():
        if not path.is_dir():
            found.append(_named(path, field, size))
            continue
        inside = sorted(file for file in path.iterdir() if _is_picture(file))
        before = len(found)
        twice = {file for file in inside if file.resolve() in named}
        for file in (file for file in inside if file not in twice):
            try:
                found.append(_cut(file, field, size))
            except ImageRefusedError as error:
                refused.append(Refusal(file.stem, str(file), STAGE, error.reason, error.detail))
        if len(found) == before and not twice:
            last = f"; the last is {refused[-1].source}: {refused[-1].detail}" if inside else ""
            raise QueryError(f"--image {path}: none of {len(inside)} files that end in {', '.join(ENDINGS)} can be "
                             f"used{last}.")
    return found, refused


def _is_picture(path: Path) -> bool:
    return path.name.lower().endswith(ENDINGS) and not path.name.startswith(".")


def _named(path: Path, field: float | None, size: int) -> Picture:
    try:
        return _cut(path, field, size)
    except ImageRefusedError as error:
        raise QueryError(f"--image {path} cannot be used ({error.reason}): {error.detail}.") from None


def _cut(path: Path, field: float | None, size: int) -> Picture:
    with ImageStore(path.parent) as store:
        data = store.read(path.name)
    cutouts, fields = [], []
    for part in FIELDS if field is None else (field,):
        try:
            cutouts.append(make_cutout(data, part, size))
        except ImageRefusedError as error:
            # A small picture is used as far as it goes; the widest field is the last that is tried.
            if error.reason != "too-small" or part == (field or FIELDS[-1]):
                raise
            continue
        fields.append(part)
    return Picture(path.name, np.stack(cutouts), tuple(fields))

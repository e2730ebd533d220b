"""Images from outside of the survey, cut and scaled as the survey's are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mergerscope.errors import QueryError
from mergerscope.query.shots import Shot, shot_of, shots_in
from mergerscope.shards.cutout import make_cutout
from mergerscope.shards.sample import Pixels
from mergerscope.survey.images import ImageStore
from mergerscope.survey.places import ENDINGS
from mergerscope.survey.records import ImageRefusedError, Refusal

__all__ = ["FIELDS", "Cutter", "Picture", "PictureCutter", "read_pictures"]

FIELDS = (0.2, 0.3, 0.5, 0.7)
"""Of a picture's shorter side, what is tried where nobody says how much of it the survey would have kept: see
docs/search.md for how that was measured."""

STAGE = "search"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One image.

    Attributes:
        name: of its file, or of its files as ``a_{g,r}.fits``.
        cutouts: (n, C, H, W) as the shards hold them, uint8 or float32 flux, one a field.
        fields: (n,) each as a fraction of the image's shorter side.
        note: what a user should be told of how it was cut.
    """

    name: str
    cutouts: Pixels
    fields: tuple[float, ...]
    note: str = ""


class Cutter(Protocol):
    """Cuts images as one survey's are."""

    def __call__(self, shot: Shot) -> Picture:
        """Read and cut one.

        Raises:
            ImageRefusedError: it cannot be used, or not be compared with the survey.
        """


def read_pictures(asked: Sequence[Path], cut: Cutter) -> tuple[list[Picture], list[Refusal]]:
    """Read images and folders of images.

    One in a folder that cannot be used is refused, and the others count. Of a folder, not of those within it, the
    files with the ending of a picture or of FITS are read, in the order of their names.

    Args:
        asked: files, what files of one band each have in common (see `shots.shot_of`), and folders.
        cut: what is done with each.

    Raises:
        QueryError: an image that was named is not there or cannot be used, or none of a folder can.
    """
    found: list[Picture] = []
    refused: list[Refusal] = []
    # What is named, and lies in a folder that is named as well, would count twice; so would two bands of one galaxy.
    shots = {path: shot_of(path) for path in asked if not path.is_dir()}
    named = {shot.files for shot in shots.values()}
    seen: set[object] = set()
    for path in asked:
        shot = shots.get(path)
        key = path.resolve() if shot is None else shot.files
        if key in seen:
            continue
        seen.add(key)
        if shot is not None:
            found.append(_named(path, shot, cut))
            continue
        inside = shots_in(path)
        before = len(found)
        others = [one for one in inside if one.files not in named]
        for one in others:
            try:
                found.append(_cut(one, cut))
            except ImageRefusedError as error:
                source = str(path / one.reference)
                refused.append(Refusal(one.stem, source, STAGE, error.reason, error.detail))
        if len(found) == before and len(others) == len(inside):
            last = f"; the last is {refused[-1].source}: {refused[-1].detail}" if inside else ""
            raise QueryError(f"--image {path}: none of {len(inside)} images ({', '.join(ENDINGS)} or .fits) can be "
                             f"used{last}.")
    return found, refused


def _named(path: Path, shot: Shot, cut: Cutter) -> Picture:
    try:
        return _cut(shot, cut)
    except ImageRefusedError as error:
        raise QueryError(f"--image {path} cannot be used ({error.reason}): {error.detail}.") from None


def _cut(shot: Shot, cut: Cutter) -> Picture:
    if shot.problem is not None:
        raise shot.problem
    return cut(shot)


@dataclass(frozen=True, slots=True)
class PictureCutter:
    """For a survey of pictures."""

    field: float | None
    """The part of the shorter side that is kept; None keeps each of `FIELDS`."""
    size: int
    """Pixels a side of a cutout."""

    def __call__(self, shot: Shot) -> Picture:
        """See `Cutter`."""
        if shot.is_fits:
            raise ImageRefusedError("fits", "it holds flux, and the survey pictures: give a JPEG or PNG of it")
        with ImageStore(shot.folder) as store:
            data = store.read(shot.reference)
        cutouts, fields = [], []
        for part in FIELDS if self.field is None else (self.field,):
            try:
                cutouts.append(make_cutout(data, part, self.size))
            except ImageRefusedError as error:
                # A small picture is used as far as it goes; the widest field is the last that is tried.
                if error.reason != "too-small" or part == (self.field or FIELDS[-1]):
                    raise
                continue
            fields.append(part)
        return Picture(shot.reference, np.stack(cutouts), tuple(fields))

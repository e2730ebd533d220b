"""The catalogue's look at every image: can it be read, which bands has it, where does it lie, is it there twice?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mergerscope.survey.digests import each_image
from mergerscope.survey.flux.hdf5 import HDF5_ROW, ImageFile
from mergerscope.survey.flux.image import FluxImage, FluxSpec
from mergerscope.survey.flux.store import FluxStore
from mergerscope.survey.images import ImageStore
from mergerscope.survey.records import ImageRefusedError

__all__ = ["Seen", "look_at", "why_refused"]

LARGEST_CHUNK = 4096


class Seen(NamedTuple):
    """What the catalogue keeps of an image."""

    digest: str
    bands: tuple[str, ...]
    unit: str
    ra_deg: float | None
    dec_deg: float | None
    ebv: float | None


def look_at(
    root: Path, images: Sequence[str], spec: FluxSpec, *, want_position: bool, workers: int
) -> list[Seen | None]:
    """Read every image and say what it is, in order; None where it cannot be read.

    Args:
        root: of the survey.
        images: references.
        spec: which bands, and the zero point of files without one.
        want_position: whether the headers' positions are asked for.
        workers: processes; 0 means one a core.
    """
    look = partial(_look, spec=spec, want_position=want_position)
    return each_image(root, images, look, workers, at_once=_at_once(root, images))


def why_refused(root: Path, image: str, spec: FluxSpec) -> ImageRefusedError:
    """Return the reason for which an image was not seen.

    Raises:
        ValueError: it can be read.
    """
    with ImageStore.open(root) as images, FluxStore(images, spec) as store:
        for _, found in store.read_many([image]):
            if isinstance(found, ImageRefusedError):
                return found
    raise ValueError(f"{image} can be read")


def _look(images: ImageStore, references: Sequence[str], spec: FluxSpec, want_position: bool) -> list[Seen | None]:
    seen: list[Seen | None] = [None] * len(references)
    with FluxStore(images, spec, want_position=want_position) as store:
        for position, found in store.read_many(references):
            if isinstance(found, FluxImage):
                seen[position] = Seen(
                    found.digest(), found.bands, found.unit, found.ra_deg, found.dec_deg, found.ebv
                )
    return seen


def _at_once(root: Path, images: Sequence[str]) -> int | None:
    """Return how many images a process looks at before it reports: of HDF5, whole chunks, or each is unpacked again."""
    match = HDF5_ROW.fullmatch(images[0]) if images else None
    if match is None:
        return None
    with ImageFile(root / match["file"]) as file:
        rows = file.chunk_rows
    return min(-(-64 // rows) * rows, LARGEST_CHUNK)

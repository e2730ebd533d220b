"""A stretch of the catalogue to one shard: what each worker process does.

Nothing here, nor anything that it imports, loads torch: a worker starts in a fraction of a second and stays small.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mergerscope.files import replacing
from mergerscope.shards.cutout import make_cutout
from mergerscope.shards.flux_cutout import FluxPacking, make_flux_cutout
from mergerscope.shards.journal import Finished
from mergerscope.shards.manifest import STAGE
from mergerscope.shards.sample import encode_sample, tar_tail
from mergerscope.shards.sampling import Sides, sides_of
from mergerscope.survey.flux.image import FluxImage
from mergerscope.survey.flux.store import FluxStore
from mergerscope.survey.images import ImageStore
from mergerscope.survey.records import ImageRefusedError, Refusal

__all__ = ["Packing", "Row", "Task", "pack_shard"]

WRITE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Packing:
    """How every image of a survey is packed."""

    root: Path
    crop: float
    size: int
    flux: FluxPacking | None = None
    """Where the images are flux and not pictures."""


class Row(NamedTuple):
    """What packing needs of one galaxy of the catalogue."""

    id: str
    image: str
    ra_deg: float
    dec_deg: float
    ebv: float


@dataclass(frozen=True, slots=True)
class Task:
    """One shard to be made."""

    path: Path
    key: str
    """Digest of all that it is made from."""
    rows: tuple[Row, ...]


def pack_shard(store: ImageStore, packing: Packing, task: Task) -> Finished:
    """Write the shard of ``task``, whole or not at all; images that cannot be used are refused, one by one.

    No file is left where every one is refused.
    """
    digest, length = hashlib.sha256(), 0
    refused: list[Refusal] = []
    sides: Counter[Sides] = Counter()
    with replacing(task.path) as new, new.open("wb", buffering=WRITE_BYTES) as tar:
        for row, made in zip(task.rows, _cutouts(store, packing, task.rows), strict=True):
            if isinstance(made, ImageRefusedError):
                refused.append(Refusal(row.id, row.image, STAGE, made.reason, made.detail))
                continue
            tar.write(made.content)
            digest.update(made.content)
            length += len(made.content)
            if made.sides is not None:
                sides[made.sides] += 1
        tail = tar_tail(length)
        tar.write(tail)
        digest.update(tail)
    count = len(task.rows) - len(refused)
    if not count:
        task.path.unlink()
        return Finished(task.path.name, task.key, 0, "", tuple(refused))
    told = tuple((*pair, number) for pair, number in sorted(sides.items()))
    return Finished(task.path.name, task.key, count, digest.hexdigest(), tuple(refused), told)


class _Made(NamedTuple):
    content: bytes
    """Of the sample."""
    sides: Sides | None = None


def _cutouts(store: ImageStore, packing: Packing, rows: tuple[Row, ...]) -> Iterator[_Made | ImageRefusedError]:
    """Yield the sample of each row, in their order, or why there is none."""
    if packing.flux is not None:
        yield from _flux_samples(store, packing, packing.flux, rows)
        return
    for row in rows:
        try:
            image = make_cutout(store.read(row.image), packing.crop, packing.size)
        except ImageRefusedError as error:
            yield error
        else:
            yield _Made(encode_sample(row.id, image, _meta(row)))


def _flux_samples(
    store: ImageStore, packing: Packing, flux: FluxPacking, rows: tuple[Row, ...]
) -> Iterator[_Made | ImageRefusedError]:
    # HDF5 is read in the order of the file, so cutouts wait for their turn; they are small.
    waiting: dict[int, _Made | ImageRefusedError] = {}
    due = 0
    with FluxStore(store, flux.spec) as source:
        for position, found in source.read_many([row.image for row in rows]):
            waiting[position] = found if isinstance(found, ImageRefusedError) else _flux_sample(
                found, packing, flux, rows[position]
            )  # fmt: skip
            while due in waiting:
                yield waiting.pop(due)
                due += 1


def _flux_sample(found: FluxImage, packing: Packing, flux: FluxPacking, row: Row) -> _Made | ImageRefusedError:
    try:
        cutout = make_flux_cutout(found, flux, packing.crop, packing.size)
    except ImageRefusedError as error:
        return error
    sides = sides_of(cutout.pixel_arcsec, cutout.flux_pixel_arcsec)
    more = {
        "ebv": None if math.isnan(row.ebv) else row.ebv,
        "masked_fraction": cutout.masked_fraction,
        "missing_bands": list(cutout.missing_bands),
        "pixel_arcsec": None if sides is None else sides[0],
    }
    return _Made(encode_sample(row.id, cutout.planes, _meta(row) | more), sides)


def _meta(row: Row) -> dict[str, object]:
    return {
        "id": row.id,
        "image": row.image,
        "ra_deg": None if math.isnan(row.ra_deg) else row.ra_deg,
        "dec_deg": None if math.isnan(row.dec_deg) else row.dec_deg,
    }

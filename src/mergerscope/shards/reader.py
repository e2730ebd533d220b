"""Galaxies out of the shards: one shard at a time, or some galaxies by their ids."""

from __future__ import annotations

import bisect
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mergerscope.errors import ContractError
from mergerscope.shards.index import first_id, map_shard, shard_index
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.sample import DTYPES, Pixels, image_from_npy

__all__ = ["Shard", "read_images", "read_shard", "shard_ids"]


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """All galaxies of one shard."""

    ids: list[str]
    images: Pixels
    """(n, C, H, W) uint8, or float32 flux."""


def read_shard(shards_dir: Path, name: str) -> Shard:
    """Read one shard whole.

    Raises:
        MissingInputError: no such file.
        ContractError: it is no shard, is empty, or its images differ in shape or type.
    """
    path = shards_dir / name
    index = shard_index(path)
    if not index.ids:
        raise ContractError(f"{path} holds no image. Run `mergerscope shard` again.")
    data = map_shard(path)
    shape, dtype = _described(data, index.spans[0], path)
    images: Pixels = np.empty((len(index.ids), *shape), DTYPES[dtype])
    for row, (start, stop) in enumerate(index.spans):
        images[row] = image_from_npy(data[start:stop], shape, dtype, f"{path}: {index.ids[row]}")
    return Shard(list(index.ids), images)


def shard_ids(shards_dir: Path, manifest: Manifest) -> list[list[str]]:
    """Return the ids in each shard, in the manifest's order; their lengths are checked against its counts.

    Raises:
        MissingInputError: a shard is not there.
        ContractError: a shard holds more or fewer galaxies than the manifest says.
    """
    found = [list(shard_index(shards_dir / shard.name).ids) for shard in manifest.shards]
    for shard, ids in zip(manifest.shards, found, strict=True):
        if len(ids) != shard.count:
            raise ContractError(
                f"{shards_dir / shard.name} holds {len(ids)} galaxies and the manifest says {shard.count}. "
                "Run `mergerscope shard` again."
            )
    return found


def read_images(shards_dir: Path, manifest: Manifest, ids: Sequence[str]) -> Pixels:
    """Read some galaxies, in the order asked for.

    Shards follow the catalogue, which is sorted by id: so the shard of an id is found from the first id of each, and
    no more than the shards asked for are opened.

    Args:
        shards_dir: the folder of the shards.
        manifest: of that folder.
        ids: any galaxies of any shards; repeats are allowed.

    Returns:
        (len(ids), C, H, W) of the manifest's dtype, uint8 or float32.

    Raises:
        MissingInputError: a shard is not there.
        ContractError: an id is in no shard, or a shard does not fit the manifest.
    """
    paths = [shards_dir / shard.name for shard in manifest.shards]
    firsts = [first_id(path) for path in paths]
    # Of an id before the first, the first shard is looked through in vain.
    shards = np.array([max(bisect.bisect_right(firsts, wanted) - 1, 0) for wanted in ids], np.intp)
    images: Pixels = np.empty((len(ids), *manifest.image_shape), DTYPES[manifest.dtype])
    for number in np.unique(shards).tolist():
        path = paths[number]
        spans = dict(zip((index := shard_index(path)).ids, index.spans, strict=True))
        data = map_shard(path)
        for row in np.flatnonzero(shards == number).tolist():
            if ids[row] not in spans:
                raise ContractError(
                    f"galaxy {ids[row]!r} is in no shard of {shards_dir}: not in the catalogue, or refused (the "
                    "manifest lists why)."
                )
            start, stop = spans[ids[row]]
            where = f"{path}: {ids[row]}"
            images[row] = image_from_npy(data[start:stop], manifest.image_shape, manifest.dtype, where)
    return images


def _described(data: npt.NDArray[np.uint8], span: tuple[int, int], path: Path) -> tuple[tuple[int, ...], str]:
    """Return shape and type that the header of an ``.npy`` states."""
    stream = io.BytesIO(data[slice(*span)].tobytes())
    try:
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    except ValueError as error:
        raise ContractError(f"{path} holds no arrays ({error}). Run `mergerscope shard` again.") from None
    if dtype.name not in DTYPES:
        raise ContractError(f"{path} holds arrays of {dtype.name}. Run `mergerscope shard` again.")
    return tuple(shape), dtype.name

"""Shuffled batches of all galaxies, epoch by epoch, out of the shards: a webdataset pipeline behind a torch loader.

How one epoch is mixed: the shards are shuffled, dealt to the loader's processes, and each process draws at random
from several of its shards at once into a buffer, out of which it draws at random again. Shards are in the order of
the catalogue, often a stretch of sky each, so a buffer alone would fill every batch from one or two of them.

All draws come from ``seed`` and ``epoch``: the order differs from epoch to epoch and repeats for equal numbers, also
in a resumed training, whatever ran before. It depends on ``workers``, as any order with several processes must.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset as wds
from torch.utils.data import DataLoader

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import shard_ids
from mergerscope.shards.sample import DTYPES, IMAGE_SUFFIX, image_from_npy

__all__ = ["Batch", "EpochLoader", "steps_per_epoch", "training_loader"]

Batch = tuple[list[str], torch.Tensor]
Sample = dict[str, Any]

OPEN_SHARDS = 16
"""Shards that a process draws from at once."""
BUFFER_BYTES = 64 * 2**20
BUFFER_GALAXIES = 4096
"""The shuffle buffer of a process holds so many galaxies, or fewer where they would take more than those bytes."""
INITIAL_BATCHES = 8
"""Batches in the buffer before the first is drawn: more would make every epoch begin with a wait."""


class EpochLoader:
    """One epoch of batches; iterable once for each call of `training_loader`, or again for the same order.

    Each process makes whole batches and one remainder; remainders are joined here. So an epoch has the same number
    of steps whatever the number of processes, and leaves out fewer galaxies than a batch.
    """

    def __init__(self, loader: DataLoader[Batch], galaxies: int, batch_size: int, drop_last: bool) -> None:
        self.galaxies = galaxies
        self.batch_size = batch_size
        self.drop_last = drop_last
        self._loader = loader

    def __len__(self) -> int:
        whole = steps_per_epoch(self.galaxies, self.batch_size)
        return whole if self.drop_last else math.ceil(self.galaxies / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        seen = 0
        ids: list[str] = []
        images: list[torch.Tensor] = []
        for batch_ids, batch in self._loader:
            seen += len(batch_ids)
            if len(batch_ids) == self.batch_size:
                yield batch_ids, batch
            else:
                ids += batch_ids
                images.append(batch)
        if seen != self.galaxies:
            raise ContractError(
                f"an epoch met {seen} galaxies, and the manifest of the shards says {self.galaxies}. "
                "Run `mergerscope shard` again."
            )
        if images:
            rest = torch.cat(images)
            last = len(ids) - len(ids) % self.batch_size if self.drop_last else len(ids)
            for start in range(0, last, self.batch_size):
                stop = start + self.batch_size
                yield ids[start:stop], rest[start:stop]


def steps_per_epoch(galaxies: Manifest | int, batch_size: int) -> int:
    """Return the number of whole batches in an epoch of a manifest's galaxies, or of so many."""
    return (galaxies if isinstance(galaxies, int) else galaxies.total) // batch_size


def training_loader(
    shards_dir: Path,
    manifest: Manifest,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    workers: int,
    keep: frozenset[str] | None = None,
    drop_last: bool = True,
) -> EpochLoader:
    """Return the batches of one epoch.

    Args:
        shards_dir: the folder of the shards.
        manifest: of that folder.
        batch_size: galaxies a batch.
        seed: of the order.
        epoch: counted from 0; make a new loader for each.
        workers: processes that read; 0 reads in this one. More than there are shards are not started.
        keep: only these ids; None for all.
        drop_last: leave out the last batch when it is not whole.

    Returns:
        A sized iterable of (ids, tensor (batch_size, C, H, W) of the manifest's dtype, uint8 or float32).

    Raises:
        MissingInputError: a shard is not there.
        ContractError: no whole batch can be made, or (while iterating) the shards do not fit the manifest.
    """
    names = [shard.name for shard in manifest.shards]
    galaxies = manifest.total
    if keep is not None:
        kept = [len(keep.intersection(ids)) for ids in shard_ids(shards_dir, manifest)]
        names = [name for name, count in zip(names, kept, strict=True) if count]
        galaxies = sum(kept)
    if galaxies < (batch_size if drop_last else 1):
        raise ContractError(
            f"{shards_dir} has {galaxies} galaxies to train on, and a batch takes {batch_size}. "
            "Lower train.batch_size in params.yaml."
        )
    paths = [shards_dir / name for name in names]
    for path in paths:
        if not path.is_file():
            raise MissingInputError(path, made_by="shard")
    pipeline = _pipeline(paths, manifest, batch_size, keep, f"{seed}/{epoch}")
    loader: DataLoader[Batch] = DataLoader(
        pipeline, batch_size=None, num_workers=min(workers, len(names)), collate_fn=_as_it_is
    )
    return EpochLoader(loader, galaxies, batch_size, drop_last)


def _pipeline(
    paths: list[Path], manifest: Manifest, batch_size: int, keep: frozenset[str] | None, draw: str
) -> wds.DataPipeline:
    image_bytes = math.prod(manifest.image_shape) * DTYPES[manifest.dtype].itemsize
    buffer = min(BUFFER_GALAXIES, max(BUFFER_BYTES // image_bytes, 2 * batch_size))
    return wds.DataPipeline(
        wds.SimpleShardList([str(path.absolute()) for path in paths]),
        _Shuffled(len(paths), len(paths), _seed(f"{draw}/shards")),
        wds.shardlists.single_node_only,
        wds.split_by_worker,
        _Interleave(_Wanted(keep), _seed(f"{draw}/interleave")),
        _Shuffled(buffer, INITIAL_BATCHES * batch_size, _seed(f"{draw}/galaxies")),
        _Batches(manifest.image_shape, manifest.dtype, batch_size),
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Whether a member of a tar is read."""

    keep: frozenset[str] | None

    def __call__(self, name: str) -> bool:
        return name.endswith(IMAGE_SUFFIX) and (self.keep is None or name.removesuffix(IMAGE_SUFFIX) in self.keep)


@dataclass(frozen=True, slots=True)
class _Shuffled:
    """A stream drawn at random out of a buffer, of which ``initial`` are there when it begins."""

    buffer: int
    initial: int
    seed: int

    def __call__(self, stream: Iterator[Sample]) -> Iterator[Sample]:
        # Made anew each time: a detshuffle counts its epochs itself, and forgets them with its process.
        shuffled: Iterator[Sample] = wds.detshuffle(self.buffer, self.initial, seed=self.seed).run(stream)
        return shuffled


@dataclass(frozen=True, slots=True)
class _Interleave:
    """Samples of a stream of shards, each drawn from one of several open shards."""

    wanted: _Wanted
    seed: int

    def __call__(self, shards: Iterator[Sample]) -> Iterator[Sample]:
        rng = random.Random(self.seed)
        is_open: list[Iterator[Sample]] = []
        while True:
            while len(is_open) < OPEN_SHARDS and (shard := next(shards, None)) is not None:
                is_open.append(_samples(shard["url"], self.wanted))
            if not is_open:
                return
            chosen = rng.randrange(len(is_open))
            sample = next(is_open[chosen], None)
            if sample is None:
                del is_open[chosen]
            else:
                yield sample


def _samples(path: str, wanted: _Wanted) -> Iterator[Sample]:
    # webdataset's own opener never closes what it opens, and would run a path that begins with "pipe:".
    with Path(path).open("rb") as stream:
        members = wds.tariterators.tar_file_expander([{"url": path, "stream": stream}], select_files=wanted)
        yield from wds.tariterators.group_by_keys(members)


@dataclass(frozen=True, slots=True)
class _Batches:
    """Samples to batches, the last one of what is left."""

    shape: tuple[int, int, int]
    dtype: str
    batch_size: int

    def __call__(self, samples: Iterator[Sample]) -> Iterator[Batch]:
        ids: list[str] = []
        images = np.empty((self.batch_size, *self.shape), DTYPES[self.dtype])
        for sample in samples:
            where = f"{sample['__url__']}: {sample['__key__']}"
            images[len(ids)] = image_from_npy(sample["npy"], self.shape, self.dtype, where)
            ids.append(sample["__key__"])
            if len(ids) == self.batch_size:
                yield ids, torch.from_numpy(images)
                ids, images = [], np.empty_like(images)
        if ids:
            yield ids, torch.from_numpy(images[: len(ids)])


def _as_it_is(batch: Any) -> Any:
    return batch


def _seed(draw: str) -> int:
    # webdataset adds seed and epoch, by which seed 1 of epoch 2 would be seed 2 of epoch 1.
    return int.from_bytes(hashlib.sha256(draw.encode()).digest()[:8])

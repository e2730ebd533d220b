"""Shuffled batches of all galaxies, epoch by epoch, out of the shards: a webdataset pipeline behind a torch loader.

How one epoch is mixed: the shards are shuffled, dealt to the loader's processes, and each process draws at random
from several of its shards at once into a buffer, out of which it draws at random again. Shards are in the order of
the catalogue, often a stretch of sky each, so a buffer alone would fill every batch from one or two of them.

All draws come from ``seed`` and ``epoch``: the order differs from epoch to epoch and repeats for equal numbers, also
in a resumed training, whatever ran before. It depends on ``workers``, as any order with several processes must.

Where several devices train together, the shuffled shards are laid end to end and cut into as many equal parts as there
are devices, through the midst of a shard where a cut falls there: with few shards, or shards of unequal size, to deal
whole ones would leave some devices without work. Each galaxy is in one part, and all parts make equally many batches.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset as wds
from torch.utils.data import DataLoader

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.orphans import clean_context, die_with_parent
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import shard_ids
from mergerscope.shards.sample import DTYPES, image_from_npy
from mergerscope.shards.stream import Interleave, Sample, Share, Wanted

__all__ = ["Batch", "EpochLoader", "steps_per_epoch", "training_loader"]

Batch = tuple[list[str], torch.Tensor]

BUFFER_BYTES = 64 * 2**20
BUFFER_GALAXIES = 4096
"""The shuffle buffer of a process holds so many galaxies, or fewer where they would take more than those bytes."""
INITIAL_BATCHES = 8
"""Batches in the buffer before the first is drawn: more would make every epoch begin with a wait."""


class EpochLoader:
    """One epoch of batches; iterable once for each call of `training_loader`, or again for the same order.

    Each process makes whole batches and one remainder; remainders are joined here. So an epoch has the same number
    of steps whatever the number of processes, and leaves out fewer galaxies than a batch.

    Args:
        loader: of whole batches and remainders.
        galaxies: that it has.
        batch_size: galaxies a batch.
        steps: batches to be made of them; what is over is left out.
    """

    def __init__(self, loader: DataLoader[Batch], galaxies: int, batch_size: int, steps: int) -> None:
        self.galaxies = galaxies
        self.batch_size = batch_size
        self.steps = steps
        self._loader = loader

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        seen, left = 0, self.steps
        ids: list[str] = []
        images: list[torch.Tensor] = []
        for batch_ids, batch in self._loader:
            seen += len(batch_ids)
            if len(batch_ids) == self.batch_size and left:
                left -= 1
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
            for start in range(0, min(left * self.batch_size, len(ids)), self.batch_size):
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
    part: int = 0,
    parts: int = 1,
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
        drop_last: leave out the last batch when it is not whole. Of several parts together, fewer galaxies than a
            batch of each are left out, others in each epoch.
        part: of the galaxies, from 0: that of one device of several.
        parts: the devices.

    Returns:
        A sized iterable of (ids, tensor (batch_size, C, H, W) of the manifest's dtype, uint8 or float32).

    Raises:
        MissingInputError: a shard is not there.
        ContractError: no whole batch can be made, or (while iterating) the shards do not fit the manifest.
    """
    counts = {shard.name: shard.count for shard in manifest.shards}
    if keep is not None:
        kept = zip(counts, shard_ids(shards_dir, manifest), strict=True)
        counts = {name: count for name, ids in kept if (count := len(keep.intersection(ids)))}
    galaxies = sum(counts.values())
    if galaxies < (batch_size * parts if drop_last else 1):
        raise ContractError(
            f"{shards_dir} has {galaxies} galaxies to train on, and a batch takes {batch_size * parts}. "
            "Lower train.batch_size in params.yaml."
        )
    for name in counts:
        if not (shards_dir / name).is_file():
            raise MissingInputError(shards_dir / name, made_by="shard")
    share = Share({str((shards_dir / name).absolute()): count for name, count in counts.items()}, part, parts)
    pipeline = _pipeline(share, manifest, batch_size, keep, f"{seed}/{epoch}")
    readers = min(workers, len(counts))
    loader: DataLoader[Batch] = DataLoader(
        pipeline, batch_size=None, num_workers=readers, collate_fn=_as_it_is,
        multiprocessing_context=clean_context(__name__) if readers else None, worker_init_fn=_begin,
    )  # fmt: skip
    steps = steps_per_epoch(galaxies, batch_size * parts) if drop_last else math.ceil(share.galaxies / batch_size)
    return EpochLoader(loader, share.galaxies, batch_size, steps)


def _pipeline(
    share: Share, manifest: Manifest, batch_size: int, keep: frozenset[str] | None, draw: str
) -> wds.DataPipeline:
    image_bytes = math.prod(manifest.image_shape) * DTYPES[manifest.dtype].itemsize
    buffer = min(BUFFER_GALAXIES, max(BUFFER_BYTES // image_bytes, 2 * batch_size))
    return wds.DataPipeline(
        wds.SimpleShardList(list(share.counts)),
        _Shuffled(len(share.counts), len(share.counts), _seed(f"{draw}/shards")),
        share,
        wds.split_by_worker,
        Interleave(Wanted(keep), _seed(f"{draw}/interleave")),
        _Shuffled(buffer, INITIAL_BATCHES * batch_size, _seed(f"{draw}/galaxies")),
        _Batches(manifest.image_shape, manifest.dtype, batch_size),
    )


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


def _begin(reader: int) -> None:
    # torch's own watch looks at the process that has forked this one, which may be another.
    die_with_parent()


def _seed(draw: str) -> int:
    # webdataset adds seed and epoch, by which seed 1 of epoch 2 would be seed 2 of epoch 1.
    return int.from_bytes(hashlib.sha256(draw.encode()).digest()[:8])

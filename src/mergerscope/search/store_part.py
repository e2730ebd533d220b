"""A run of embeddings that lie together, in memory or in one file of the store's folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mergerscope.errors import ContractError

__all__ = ["AGAIN", "Part", "open_shard"]

Array = np.ndarray[Any, Any]

AGAIN = "Run `mergerscope embed` again."


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive rows that lie together: in one array in memory, or in one float16 file from byte ``offset`` on.

    Attributes:
        start: number of the first row in the store.
        count: rows.
        dim: values of a row.
        source: (count, dim) array, or the file.
        offset: bytes before the first value.
    """

    start: int
    count: int
    dim: int
    source: Array | Path
    offset: int = 0

    def copy(self, start: int, target: torch.Tensor, half: Array) -> None:
        """Write the rows from ``start`` on, counted from the first one here, into a float32 tensor.

        Args:
            start: first row.
            target: (b, dim) float32.
            half: (b, dim) float16 that a file is read into.
        """
        if isinstance(self.source, Path):
            with _opened(self.source) as file:
                _fill(half, file, self.offset + start * self.dim * half.itemsize, self.source)
            # torch converts half to float with vector instructions, about ten times as fast as NumPy.
            target.copy_(torch.from_numpy(half))
        else:
            target.numpy()[...] = self.source[start : start + len(target)]

    def pick(self, rows: Array) -> Array:
        """Return some rows, counted from the first one here, in the order asked for."""
        if not isinstance(self.source, Path):
            return np.asarray(self.source[rows])
        # One read a run of neighbours: through a memory map each row would cost a page fault of tens of microseconds.
        wanted, place = np.unique(rows, return_inverse=True)
        dim = self.dim
        half = np.empty((len(wanted), dim), np.float16)
        starts = np.flatnonzero(np.diff(wanted, prepend=-2) != 1)
        with _opened(self.source) as file:
            for start, stop in zip(starts, np.append(starts[1:], len(wanted)), strict=True):
                _fill(half[start:stop], file, self.offset + int(wanted[start]) * dim * half.itemsize, self.source)
        return half[place]


def open_shard(path: Path, start: int, dim: int) -> tuple[Part, list[bytes], Array | None]:
    """Return a file's rows, which are number ``start`` and on in the store, their ids, and their logits, if any.

    Raises:
        ContractError: shapes, types and ids do not fit together.
    """
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    ids = path.with_suffix(".ids.txt").read_bytes().splitlines()
    if array.shape != (len(ids), dim) or array.dtype != np.float16 or not array.flags.c_contiguous:
        raise ContractError(f"{path}: expected float16 ({len(ids)}, {dim}), got {array.dtype} {array.shape}. {AGAIN}")
    logit_path = path.with_suffix(".pairs.npy")
    logits = np.load(logit_path, allow_pickle=False).astype(np.float32) if logit_path.is_file() else None
    if logits is not None and logits.shape != (len(ids),):
        raise ContractError(f"{logit_path}: expected ({len(ids)},), got {logits.shape}. {AGAIN}")
    return Part(start, len(ids), dim, path, int(array.offset)), ids, logits


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    # Opened for each read: a survey may have more shards than a process may have files open.
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


def _fill(half: Array, file: int, offset: int, path: Path) -> None:
    view = half.data.cast("B")
    done = 0
    while done < len(view):
        got = os.preadv(file, [view[done:]], offset + done)
        if got == 0:
            raise ContractError(f"{path} became shorter while it was read. {AGAIN}")
        done += got

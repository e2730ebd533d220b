"""Embeddings on disk or in memory, read block by block as float32."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.search.store_part import AGAIN, Part, open_shard
from mergerscope.survey.names import Names, as_names, as_texts

__all__ = ["EmbeddingStore", "block_rows"]

Array = np.ndarray[Any, Any]

BLOCK_VALUES = 1 << 19
"""Values of one block: 1 MB as float16 and 2 MB as float32 stay in a core's share of the cache."""


def block_rows(dim: int) -> int:
    """Return how many rows of ``dim`` values make one block."""
    return max(64, BLOCK_VALUES // dim)


@dataclass(slots=True)
class BlockBuffer:
    """Memory that one reader uses again for each block of at most ``rows`` rows."""

    rows: int
    dim: int
    half: Array = field(init=False)
    full: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.half = np.empty((self.rows, self.dim), np.float16)
        self.full = torch.empty((self.rows, self.dim), dtype=torch.float32)


class EmbeddingStore:
    """N embeddings of D numbers with their ids, in a fixed order.

    Files are float16. They are read with ``pread`` into buffers that are used again, and not through memory maps,
    whose pages would count as memory of the process: a pass over a billion rows holds a few megabytes.

    Attributes:
        names: (N,) galaxy ids as bytes, which take a quarter of the memory of `ids` (`mergerscope.survey.names`).
        dim: D.
        pairs_logit: (N,) float32 logits of the `pairs` head (larger: more like a merger), or None.
        origin: what made the embeddings, where it was not this project's model; None where it was.
    """

    def __init__(self, names: Names, dim: int, parts: list[Part], pairs_logit: Array | None) -> None:
        self.names = names
        self.dim = dim
        self.pairs_logit = pairs_logit
        self.origin: str | None = None
        self._without_guests: EmbeddingStore | None = None
        self._parts = parts
        self._by_id: Array | None = None

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the folder that `mergerscope embed` writes.

        Raises:
            MissingInputError: there is no ``meta.json``.
            ContractError: files, ids, shapes and counts do not fit together.
        """
        meta_path = folder / "meta.json"
        if not meta_path.is_file():
            raise MissingInputError(meta_path, "embed")
        meta = json.loads(meta_path.read_text(encoding="utf-8"))
        files = sorted(path for path in folder.glob("shard-*.npy") if not path.name.endswith(".pairs.npy"))
        parts: list[Part] = []
        # Filled shard by shard: as Python strings, millions of ids would take twice the memory of this array again.
        names = np.empty(meta["total"], "S1")
        found = 0
        logits: list[Array] = []
        for path in files:
            part, part_ids, part_logits = open_shard(path, start=found, dim=int(meta["dim"]))
            here = np.asarray(part_ids, dtype=np.bytes_)
            if here.itemsize > names.itemsize:
                names = names.astype(here.dtype)
            names[found : found + len(here)] = here[: max(0, len(names) - found)]
            parts.append(part)
            found += len(here)
            logits.extend([] if part_logits is None else [part_logits])
        if not parts or found != meta["total"]:
            raise ContractError(f"{folder}: meta.json counts {meta['total']} embeddings, found {found}. {AGAIN}")
        if logits and len(logits) != len(parts):
            raise ContractError(f"{folder}: {len(logits)} of {len(parts)} shards have .pairs.npy. {AGAIN}")
        store = cls(names, int(meta["dim"]), parts, np.concatenate(logits) if logits else None)
        store.origin = meta["origin"]["name"] if "origin" in meta else None
        return store

    @classmethod
    def from_array(cls, ids: Any, array: Any, pairs_logit: Any = None) -> Self:
        """Wrap an (N, D) array in memory; float32 and float16 are used as they are.

        Raises:
            ContractError: the lengths differ or the array is not of two dimensions.
        """
        values = np.asarray(array)
        if values.dtype not in (np.float16, np.float32):
            values = values.astype(np.float32)
        names = as_names(ids)
        if values.ndim != 2 or len(values) != len(names):
            raise ContractError(f"embeddings of shape {values.shape} do not go with {len(names)} ids.")
        logit = None if pairs_logit is None else np.asarray(pairs_logit, np.float32)
        if logit is not None and logit.shape != names.shape:
            raise ContractError(f"pairs logits of shape {logit.shape} do not go with {len(names)} ids.")
        part = Part(0, len(values), values.shape[1], np.ascontiguousarray(values))
        return cls(names, part.dim, [part], logit)

    @cached_property
    def ids(self) -> Array:
        """(N,) galaxy ids as texts."""
        return as_texts(self.names)

    @property
    def size(self) -> int:
        """N."""
        return len(self.names)

    @property
    def survey(self) -> EmbeddingStore:
        """The store without its guests (see `with_guests`); the store itself where it has none."""
        return self if self._without_guests is None else self._without_guests

    @property
    def on_disk(self) -> bool:
        """Whether all rows lie in files."""
        return all(isinstance(part.source, Path) for part in self._parts)

    def bare(self) -> EmbeddingStore:
        """Return a store for `read` alone, without ids and logits, which a process elsewhere can take over quickly."""
        parts = [
            replace(part, source=part.source.absolute()) if isinstance(part.source, Path) else part
            for part in self._parts
        ]
        return EmbeddingStore(self.names[:0], self.dim, parts, None)

    def buffer(self, rows: int | None = None) -> BlockBuffer:
        """Return memory for `read`, of one default block unless told."""
        return BlockBuffer(rows or block_rows(self.dim), self.dim)

    def read(self, start: int, stop: int, buffer: BlockBuffer) -> torch.Tensor:
        """Return rows ``start`` to ``stop`` as a float32 tensor, valid until ``buffer`` is used again.

        Safe to call from several threads, each with its own buffer.
        """
        out = buffer.full[: stop - start]
        first = bisect_right(self._parts, start, key=lambda part: part.start) - 1
        for part in self._parts[max(0, first) :]:
            low, high = max(start, part.start), min(stop, part.start + part.count)
            if part.start >= stop:
                break
            if low >= high:
                continue
            part.copy(low - part.start, out[low - start : high - start], buffer.half[: high - low])
        return out

    def blocks(self, rows: Any = None) -> Iterator[tuple[int, Array]]:
        """Yield ``(start, block)`` over all rows, or over the given row numbers, in order.

        ``block`` is float32 (b, D), and ``start`` counts from 0 in what was asked for. The memory of a block is
        used again for the next one: copy what is to be kept.
        """
        step = block_rows(self.dim)
        if rows is not None:
            picked = np.asarray(rows)
            for start in range(0, len(picked), step):
                yield start, self.rows(picked[start : start + step])
            return
        buffer = self.buffer()
        for start in range(0, self.size, step):
            yield start, self.read(start, min(self.size, start + step), buffer).numpy()

    def rows(self, indices: Any) -> Array:
        """Return the embeddings of the given row numbers, float32 (m, D), in that order."""
        picked = np.asarray(indices, dtype=np.int64)
        out = np.empty((len(picked), self.dim), np.float32)
        part_of = np.searchsorted([part.start for part in self._parts], picked, side="right") - 1
        for number in np.unique(part_of):
            inside = np.flatnonzero(part_of == number)
            out[inside] = self._parts[number].pick(picked[inside] - self._parts[number].start)
        return out

    def subset(self, indices: Any) -> EmbeddingStore:
        """Return the given rows as a store of their own, in memory."""
        picked = np.asarray(indices, dtype=np.int64)
        logit = None if self.pairs_logit is None else self.pairs_logit[picked]
        return EmbeddingStore.from_array(self.names[picked], self.rows(picked), logit)

    def with_guests(self, guests: EmbeddingStore) -> EmbeddingStore:
        """Return a store with the rows of ``guests`` behind its own, which are scored and change no other score.

        What a ranker learns of the survey as a whole, its moments, background and spreads, it learns of `survey`.

        Raises:
            ContractError: the guests have another dimension, or logits where the others have none.
        """
        if guests.dim != self.dim or (guests.pairs_logit is None) != (self.pairs_logit is None):
            raise ContractError(
                f"guests of {guests.dim} numbers, {'no ' * (guests.pairs_logit is None)}logits, do not go with "
                f"embeddings of {self.dim}, {'no ' * (self.pairs_logit is None)}logits. {AGAIN}"
            )
        behind = [replace(part, start=part.start + self.size) for part in guests._parts]
        logits = [part.pairs_logit for part in (self, guests) if part.pairs_logit is not None]
        names = np.concatenate([self.names, guests.names])
        joined = EmbeddingStore(names, self.dim, [*self._parts, *behind], np.concatenate(logits) if logits else None)
        joined._without_guests = self.survey
        return joined

    def index_of(self, ids: Any) -> Array:
        """Return the row number of each id.

        Raises:
            ContractError: an id has no embedding.
        """
        if self._by_id is None:
            self._by_id = np.argsort(self.names, kind="stable")
        wanted = as_names([str(name) for name in ids])
        if self.size:
            rows = self._by_id[np.searchsorted(self.names, wanted, sorter=self._by_id).clip(max=self.size - 1)]
            missing = wanted[self.names[rows] != wanted]
        else:
            rows, missing = self._by_id, wanted
        if len(missing):
            raise ContractError(f"{len(missing)} ids have no embedding, the first is {missing[0].decode()!r}. {AGAIN}")
        return np.asarray(rows, dtype=np.int64)

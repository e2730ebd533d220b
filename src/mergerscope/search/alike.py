"""More like these: the galaxies of a survey that are most like some queries, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
import torch

from mergerscope.errors import ContractError
from mergerscope.search.moments import Moments, pool_moments
from mergerscope.search.shortlist import rank_order
from mergerscope.search.similarity import affine, unit_rows
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import map_blocks

__all__ = ["Found", "Queries", "most_alike"]

Array = np.ndarray[Any, Any]
T = TypeVar("T")

KEPT = 100_000
"""Galaxies that wait, at least, before all but the best of them are forgotten."""


@dataclass(frozen=True, slots=True)
class Queries:
    """What is looked for: Q queries of one vector each, or of several where each is tried in several ways.

    How much a galaxy is like one query is the mean cosine to that query's vectors, after shrinkage whitening: in the
    raw embedding all galaxies share a large mean, and all cosines lie near 1. How much it is like all of them is the
    mean over that half of the queries which it is most like: examples of one class are of several kinds, and no galaxy
    is like all of these at once. Both were measured, see docs/search.md.

    Attributes:
        units: (V, A) whitened unit vectors.
        owner: (V,) number of the query that each belongs to, ascending from 0 without a gap.
    """

    units: torch.Tensor
    owner: torch.Tensor

    @classmethod
    def of(cls, moments: Moments, vectors: Array, owner: Any) -> Self:
        """Whiten (V, D) embeddings as the survey's are whitened.

        Raises:
            ContractError: an embedding is not finite, or has another length than the survey's.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(moments.mean) or not np.isfinite(vectors).all():
            raise ContractError(f"queries must be finite vectors of {len(moments.mean)} numbers, got "
                                f"{vectors.dtype} {vectors.shape}. The model is not the one that made the embeddings.")
        units = unit_rows(affine(moments, moments.whitening)(torch.from_numpy(vectors.astype(np.float32))))
        return cls(units, torch.as_tensor(np.asarray(owner, dtype=np.int64)))

    @property
    def count(self) -> int:
        """Q."""
        return int(self.owner[-1]) + 1

    @property
    def counted(self) -> int:
        """How many queries a galaxy is compared with in the end: those that it is most like, at least one."""
        return -(-self.count // 2)

    def likeness(self, units: torch.Tensor) -> torch.Tensor:
        """Return the cosines (b, Q) of galaxies, given as whitened unit vectors (b, A), to each query."""
        cosine = units @ self.units.T
        if self.count == len(self.owner):
            return cosine
        several = self.owner.expand(len(cosine), -1)
        mean = cosine.new_zeros((len(cosine), self.count))
        return mean.scatter_reduce_(1, several, cosine, "mean", include_self=False)

    def nearest_vectors(self, store: EmbeddingStore, rows: Array) -> Array:
        """Return of each query (Q,) the number of that vector which is, in the mean, most like some galaxies."""
        moments = pool_moments(store)
        units = unit_rows(affine(moments, moments.whitening)(torch.from_numpy(store.rows(rows))))
        mean = (units @ self.units.T).mean(dim=0)
        return np.asarray([
            int(torch.where(self.owner == number, mean, -torch.inf).argmax()) for number in range(self.count)
        ])


@dataclass(frozen=True, slots=True)
class Found:
    """Galaxies, the most alike first.

    Attributes:
        rows: (K,) row numbers in the store.
        similarity: (K,) float32, mean of the likeness to that half of the queries which each is most like.
        nearest: (K,) number of the query that each is most like.
    """

    rows: Array
    similarity: Array
    nearest: Array


def most_alike(store: EmbeddingStore, queries: Queries, count: int, leave_out: Any = (), among: Any = None) -> Found:
    """Return the ``count`` galaxies that are most like the queries; equal ones in the order of their ids.

    One pass over the embeddings in bounded memory.

    Args:
        store: the survey.
        queries: whitened with the survey's moments.
        count: K at most; fewer where there are not so many.
        leave_out: row numbers that are not to be found, such as the queries' own.
        among: row numbers to look at instead of all.
    """
    moments = pool_moments(store)
    whiten = affine(moments, moments.whitening)
    unwanted = np.unique(np.asarray(leave_out, dtype=np.int64))

    def best_of(numbers: Array, block: torch.Tensor) -> tuple[Array, Array, Array]:
        likeness = queries.likeness(unit_rows(whiten(block)))
        score = likeness.topk(queries.counted, dim=1).values.mean(dim=1)
        score[torch.from_numpy(np.isin(numbers, unwanted))] = -torch.inf
        # All that equal the last one: which of them is kept is for the ids to say, not for the blocks.
        least = score.topk(min(count, len(score))).values[-1]
        kept = torch.nonzero((score >= least) & torch.isfinite(score)).squeeze(1)
        return numbers[kept.numpy()], score[kept].numpy(), likeness[kept].argmax(dim=1).numpy()

    best = Found(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))
    waiting: list[tuple[Array, Array, Array]] = []
    for part in _parts(store, best_of, among):
        waiting.append(part)
        if sum(len(rows) for rows, _, _ in waiting) > KEPT + 4 * count:
            best, waiting = _merged(store, best, waiting, count), []
    return _merged(store, best, waiting, count)


def _parts(store: EmbeddingStore, best_of: Callable[[Array, torch.Tensor], T], among: Any) -> Iterator[T]:
    if among is None:
        yield from map_blocks(store, lambda start, block: best_of(np.arange(start, start + len(block)), block))
        return
    picked = np.asarray(among, dtype=np.int64)
    for start, block in store.blocks(picked):
        yield best_of(picked[start : start + len(block)], torch.from_numpy(block))


def _merged(store: EmbeddingStore, best: Found, parts: list[tuple[Array, Array, Array]], count: int) -> Found:
    columns = zip((best.rows, best.similarity, best.nearest), *parts, strict=True)
    rows, similarity, nearest = (np.concatenate(column) for column in columns)
    order = rank_order(similarity, store.names[rows])[:count]
    return Found(rows[order], similarity[order], nearest[order])

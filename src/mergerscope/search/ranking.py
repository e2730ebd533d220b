"""A ranked list as counts by groups of equal score, for one weighting of its galaxies or many at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Self

import numpy as np

__all__ = ["Ranking", "discounts"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Ranking:
    """B weightings of one list of N galaxies in G groups of equal score, best group first.

    A galaxy of weight w stands w times in its group, and a group's galaxies stand in random order. The plain list is
    the one weighting with a 1 for each galaxy; a bootstrap resample is the weighting by how often each was drawn.

    Attributes:
        sizes: (B, G) int32, galaxies in each group.
        ends: (B, G) int32, galaxies up to the end of each group.
        columns: (P,) the groups, ascending, that hold a positive in the plain list.
        hits: (B, P) int32, positives in those groups.
        gains: (B, at most G) float64, sum of the grades in each group.
    """

    sizes: Array
    ends: Array
    columns: Array
    hits: Array
    gains: Array

    @classmethod
    def of(
        cls, scores: Any, positive: Any, grades: Any = None, weights: Any = None, deepest: int | None = None
    ) -> Self:
        """Group a list.

        Args:
            scores: (N,) larger is better; no NaN.
            positive: (N,) bool.
            grades: (N,) 0 or larger, for nDCG; `positive` as 0 and 1 where None.
            weights: (B, N) whole numbers, 0 or larger; all 1 with B = 1 where None.
            deepest: the largest k that nDCG will be asked for; groups beyond get no gains. None is all.
        """
        values, flags = np.asarray(scores), np.asarray(positive, dtype=bool)
        order = np.argsort(-values, kind="stable")
        ranked, flags = values[order], flags[order]
        grade = (flags if grades is None else np.asarray(grades)[order]).astype(np.float64)
        counts = np.ones((1, len(order)), np.int32) if weights is None else np.asarray(weights)[:, order]
        starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(order) else np.empty(0, np.int64)
        group = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(order)]))
        inside, first = np.unique(group[flags], return_index=True)
        sizes = _sum_groups(counts, starts, np.int32)
        ends = np.cumsum(sizes, axis=1, dtype=np.int32)
        last = len(starts) if deepest is None else int(np.searchsorted(ends.min(axis=0), deepest)) + 1
        head = len(order) if last >= len(starts) else starts[last]
        return cls(
            sizes=sizes,
            ends=ends,
            columns=inside,
            hits=_sum_groups(counts[:, flags], first, np.int32),
            gains=_sum_groups(counts[:, :head] * grade[:head], starts[:last], np.float64),
        )

    @cached_property
    def total(self) -> Array:
        """(B,) galaxies in the list."""
        return np.asarray(self.sizes.sum(axis=1, dtype=np.int64))

    @cached_property
    def positives(self) -> Array:
        """(B,) positives in the list."""
        return np.asarray(self.hits.sum(axis=1, dtype=np.int64))

    @cached_property
    def found(self) -> Array:
        """(B, P + 1) positives before each of the `columns`, and in the whole list."""
        return np.pad(np.cumsum(self.hits, axis=1), ((0, 0), (1, 0)))

    @cached_property
    def shortest(self) -> Array:
        """(G,) the smallest of the B ends of each group."""
        return np.asarray(self.ends.min(axis=0))

    def group_at(self, depth: Array) -> Array:
        """(B,) number of the group that holds place ``depth`` (B,), counted from 1 and inside the list."""
        deepest = int(depth.max(initial=1))
        head = self.ends[:, : int(np.searchsorted(self.shortest, deepest)) + 1]
        # One search over all lists: each list's ends are lifted above those of the list before.
        rows, groups = head.shape
        lift = np.arange(rows, dtype=np.int64) * (deepest + 1)
        lifted = np.minimum(head, deepest) + lift[:, None]
        flat = np.searchsorted(lifted.ravel(), depth + lift, side="left")
        return np.asarray((flat - np.arange(rows) * groups).clip(max=self.sizes.shape[1] - 1))

    @cached_property
    def discounted(self) -> Array:
        """(B, at most G + 1) expected discounted cumulative gain up to the start of each group that has gains."""
        table = discounts(int(self.total.max(initial=0)))
        sizes, ends = self.sizes[:, : self.gains.shape[1]], self.ends[:, : self.gains.shape[1]]
        share = table[ends] - table[ends - sizes]
        gain = np.cumsum(self.gains * share / np.maximum(sizes, 1), axis=1)
        return np.pad(gain, ((0, 0), (1, 0)))


@cache
def discounts(size: int) -> Array:
    """Return (size + 1,) the sums of 1 / log2(1 + place) over the first 0, 1, 2 ... places."""
    return np.asarray(np.r_[0.0, np.cumsum(1 / np.log2(1 + np.arange(1, size + 1)))])


def _sum_groups(values: Array, starts: Array, dtype: Any) -> Array:
    if len(starts) == values.shape[1]:
        return np.asarray(values, dtype=dtype)
    return np.asarray(np.add.reduceat(values, starts, axis=1, dtype=dtype))

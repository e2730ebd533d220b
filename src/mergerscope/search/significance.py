"""Is one ranking better than another, or was it luck? Two tests, of which the second suits the data better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from mergerscope.search.bootstrap import Split

__all__ = ["PermutationTest", "WelchTest", "paired_permutation", "welch"]

Array = np.ndarray[Any, Any]

CHUNK_VALUES = 1 << 17
"""Scores sorted at once."""


@dataclass(frozen=True, slots=True)
class WelchTest:
    """t statistic, degrees of freedom and two-tailed p; NaN where either side has fewer than two values."""

    t: float
    degrees: float
    p: float


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """Observed difference of the means over splits, and the two-tailed p of at least as large a one by luck."""

    difference: float
    p: float
    permutations: int


def welch(one: Any, other: Any) -> WelchTest:
    """Return Welch's two-tailed t-test (Welch 1947) between the values of two methods over the splits.

    This is the test of the paper that began this search. It takes the values for independent, but the splits share
    their galaxies: it says too easily that a difference is real where splits are many, and misses one where they
    are few. Equal constant values on both sides have p = 1, unequal ones p = 0.
    """
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if len(a) < 2 or len(b) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return WelchTest(float("nan"), float("nan"), float("nan"))
    difference = float(a.mean() - b.mean())
    squares = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    total = float(squares.sum())
    if total <= 1e-30:
        same = abs(difference) < 1e-15
        return WelchTest(0.0 if same else float(np.copysign(np.inf, difference)), float("nan"), 1.0 if same else 0.0)
    t = difference / total**0.5
    degrees = total**2 / float((squares**2 / [len(a) - 1, len(b) - 1]).sum())
    return WelchTest(t, degrees, float(2 * stats.t.sf(abs(t), degrees)))


def paired_permutation(
    one: Sequence[Array], other: Sequence[Array], splits: Sequence[Split], depths: Sequence[int], permutations: int,
    seed: int,
) -> dict[str, PermutationTest]:
    """Return the paired permutation (randomisation) test of two methods on the same galaxies (Smucker et al. 2007).

    If both methods were alike, it would not matter which of the two gave a galaxy its place. So each galaxy's two
    ranks are swapped between the methods at random, the same swaps in every split, and the difference of the mean
    metric is measured anew. p counts the observed order as one of the permutations and is never 0.

    Args:
        one: for each split (J,) scores of all rows by the first method.
        other: the same of the second.
        splits: the splits, which say what is listed and positive; those without a positive are left out.
        depths: each k of precision at k.
        permutations: number of random swaps.
        seed: of the swaps.

    Returns:
        By name: ``average_precision``, and ``precision_at_k`` for each k.
    """
    lists = [
        (_places(a[split.listed]), _places(b[split.listed]), split)
        for a, b, split in zip(one, other, splits, strict=True) if split.positive.any()
    ]
    names = ["average_precision", *(f"precision_at_{k}" for k in depths)]
    if not lists:
        return {name: PermutationTest(float("nan"), float("nan"), permutations) for name in names}
    observed = np.mean([_difference(a[None], b[None], split, depths)[:, 0] for a, b, split in lists], axis=0)
    as_large = np.zeros(len(names), np.int64)
    generator = np.random.default_rng(seed)
    galaxies = 1 + max(int(split.listed.max()) for _, _, split in lists)
    step = max(1, CHUNK_VALUES // galaxies)
    for start in range(0, permutations, step):
        swap = generator.random((min(step, permutations - start), galaxies), dtype=np.float32) < 0.5
        total = np.zeros((len(names), len(swap)))
        for a, b, split in lists:
            chosen = swap[:, split.listed]
            # Two galaxies may now hold the same place; less than half a place of noise settles it without favour.
            noise = generator.random(chosen.shape) * 0.49
            total += _difference(np.where(chosen, b, a) + noise, np.where(chosen, a, b) + noise, split, depths)
        as_large += (np.abs(total / len(lists)) >= np.abs(observed)[:, None] - 1e-12).sum(axis=1)
    return {
        name: PermutationTest(float(observed[row]), float((as_large[row] + 1) / (permutations + 1)), permutations)
        for row, name in enumerate(names)
    }


def _places(scores: Array) -> Array:
    """(N,) place of each galaxy, 0 for the best; the mean place for equal scores."""
    return np.asarray(stats.rankdata(-scores)) - 1


def _difference(one: Array, other: Array, split: Split, depths: Sequence[int]) -> Array:
    """(metrics, P) differences of two sets of P lists, given as places (P, N)."""
    return _metrics(one, split.positive, depths) - _metrics(other, split.positive, depths)


def _metrics(places: Array, positive: Array, depths: Sequence[int]) -> Array:
    # A stable sort takes six times as long, and is needed where no noise has settled equal places.
    hits = positive[np.argsort(places, axis=1, kind="stable" if len(places) == 1 else "quicksort")]
    found = np.cumsum(hits, axis=1, dtype=np.int32)
    count = hits.shape[1]
    average = (found / np.arange(1, count + 1) * hits).sum(axis=1) / found[:, -1]
    return np.stack([average, *(found[:, min(k, count) - 1] / min(k, count) for k in depths)])

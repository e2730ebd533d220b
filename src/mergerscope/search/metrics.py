"""How good a ranking is: defined for ties, for k beyond the list, and for a list without positives.

Galaxies of equal score stand in random order, and a metric is its **expected value** over those orders: it depends
neither on the order of the rows nor on luck. ``k`` beyond the list means the whole list. What cannot be said, such
as recall without a positive, is NaN.

The ``*_of`` functions take a `Ranking` of B weightings and return (B,) values; the others take plain arrays.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from mergerscope.search.ranking import Ranking, discounts

__all__ = [
    "auroc", "auroc_of", "average_precision", "average_precision_of", "dcg_of", "enrichment_at", "found_of",
    "ndcg_at", "precision_at", "recall_at",
]

Array = np.ndarray[Any, Any]


def precision_at(scores: Any, positive: Any, k: int) -> float:
    """Return the share of positives among the ``k`` best; NaN for an empty list."""
    ranking = Ranking.of(scores, positive)
    return _ratio(found_of(ranking, k), np.minimum(k, ranking.total))


def recall_at(scores: Any, positive: Any, k: int) -> float:
    """Return the share of all positives that the ``k`` best hold; NaN without a positive."""
    ranking = Ranking.of(scores, positive)
    return _ratio(found_of(ranking, k), ranking.positives)


def enrichment_at(scores: Any, positive: Any, k: int) -> float:
    """Return precision at ``k`` over the share of positives in the whole list; NaN without a positive."""
    ranking = Ranking.of(scores, positive)
    return _ratio(found_of(ranking, k) * ranking.total, np.minimum(k, ranking.total) * ranking.positives)


def ndcg_at(scores: Any, grades: Any, k: int) -> float:
    """Return the normalised discounted cumulative gain of the ``k`` best, with grades as gains.

    The gain is the grade itself and the discount log2(1 + place) (Jarvelin and Kekalainen 2002). NaN where all
    grades are 0.
    """
    grade = np.asarray(grades, dtype=np.float64)
    got, best = Ranking.of(scores, grade > 0, grade), Ranking.of(grade, grade > 0, grade)
    return _ratio(dcg_of(got, k), dcg_of(best, k))


def average_precision(scores: Any, positive: Any) -> float:
    """Return the mean over the positives of the precision at the place of each; NaN without a positive."""
    return float(average_precision_of(Ranking.of(scores, positive))[0])


def auroc(scores: Any, positive: Any) -> float:
    """Return the chance that a positive stands before a negative, a tie counting half; NaN without either."""
    return float(auroc_of(Ranking.of(scores, positive))[0])


def found_of(ranking: Ranking, k: int) -> Array:
    """Return the expected number (B,) of positives among the ``k`` best."""
    if not len(ranking.columns) or k < 1:
        return np.zeros(len(ranking.total))
    row, group, reached = _cut(ranking, k)
    column = np.searchsorted(ranking.columns, group)
    before = ranking.found[row, column]
    # The group that k cuts gives its share; it has positives only if it is one of the listed columns.
    listed = column.clip(max=len(ranking.columns) - 1)
    inside = np.where(ranking.columns[listed] == group, ranking.hits[row, listed], 0)
    return np.asarray(before + inside * reached / np.maximum(ranking.sizes[row, group], 1))


def average_precision_of(ranking: Ranking) -> Array:
    """Return the expected average precision (B,), exactly (McSherry and Najork 2008, section 3.2).

    In a group of n galaxies with r positives after t galaxies with R positives, place t + j holds a positive with
    chance r / n, and then R + 1 + (j - 1)(r - 1) / (n - 1) positives are expected up to it. Summed over
    j = 1 ... n with harmonic numbers H, where S = H(t + n) - H(t): r / n * [(R + 1) S + (r - 1) / (n - 1) *
    (n - (t + 1) S)].
    """
    if not len(ranking.columns):
        return np.full(len(ranking.sizes), np.nan)
    r = ranking.hits.astype(np.float64)
    n = ranking.sizes[:, ranking.columns].astype(np.float64)
    t_end = ranking.ends[:, ranking.columns]
    harmonic = _harmonic(int(t_end.max()))
    span = harmonic[t_end] - harmonic[t_end - n.astype(np.int64)]
    before = np.cumsum(r, axis=1) - r
    slope = (r - 1) / np.maximum(n - 1, 1)
    terms = r / np.maximum(n, 1) * ((before + 1) * span + slope * (n - (t_end - n + 1) * span))
    return _divide(terms.sum(axis=1), ranking.positives)


def auroc_of(ranking: Ranking) -> Array:
    """Return the area under the receiver operating characteristic (B,)."""
    n, r = ranking.sizes[:, ranking.columns].astype(np.float64), ranking.hits.astype(np.float64)
    negatives = (ranking.total - ranking.positives).astype(np.float64)
    negatives_before = (ranking.ends[:, ranking.columns] - n) - (np.cumsum(r, axis=1) - r)
    wins = (r * (negatives[:, None] - negatives_before - (n - r) / 2)).sum(axis=1)
    return _divide(wins, ranking.positives * negatives)


def dcg_of(ranking: Ranking, k: int) -> Array:
    """Return the expected discounted cumulative gain (B,) of the ``k`` best."""
    if not ranking.sizes.shape[1] or k < 1:
        return np.zeros(len(ranking.total))
    row, group, reached = _cut(ranking, k)
    size = ranking.sizes[row, group]
    start = ranking.ends[row, group] - size
    table = discounts(int(ranking.total.max()))
    inside = ranking.gains[row, group] / np.maximum(size, 1) * (table[start + reached] - table[start])
    return np.asarray(ranking.discounted[row, group] + inside)


def _cut(ranking: Ranking, k: int) -> tuple[Array, Array, Array]:
    """Return the weightings, the group of each that holds place k, and how far into it that place lies."""
    depth = np.minimum(k, ranking.total)
    row = np.arange(len(depth))
    group = ranking.group_at(np.maximum(depth, 1))
    return row, group, np.where(depth > 0, depth - (ranking.ends[row, group] - ranking.sizes[row, group]), 0)


@cache
def _harmonic(size: int) -> Array:
    return np.asarray(np.r_[0.0, np.cumsum(1 / np.arange(1, size + 1))])


def _divide(top: Array, bottom: Array) -> Array:
    return np.asarray(np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0))


def _ratio(top: Array, bottom: Array) -> float:
    return float(_divide(np.asarray(top, np.float64), np.asarray(bottom, np.float64))[0])

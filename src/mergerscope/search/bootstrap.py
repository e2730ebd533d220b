"""Intervals by resampling galaxies and splits, and all metrics of a ranking at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mergerscope.search.metrics import auroc_of, average_precision_of, dcg_of, found_of
from mergerscope.search.ranking import Ranking

__all__ = ["Interval", "Judge", "Resamples", "Split"]

Array = np.ndarray[Any, Any]

CHUNK_VALUES = 1 << 23
"""Counts held at once; a resample of a large survey has as many as galaxies."""


@dataclass(frozen=True, slots=True)
class Split:
    """One division of the known mergers, as the metrics see it.

    Attributes:
        references: (M,) row numbers of the mergers that are known to the ranker.
        listed: (N,) row numbers of the galaxies that are ranked and judged: the hidden mergers and the negatives.
        positive: (N,) bool, which of them are hidden mergers.
        grades: (N,) vote fractions, the gains of nDCG.
        twins: row numbers of the galaxies that have the pixels of a reference, but no merger vote of their own.
    """

    references: Array
    listed: Array
    positive: Array
    grades: Array
    twins: Array = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def hidden(self) -> int:
        """Number of hidden mergers."""
        return int(self.positive.sum())


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its percentile interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Resamples:
    """B bootstrap samples of galaxies and of splits, the same for every row of a table.

    A sample draws, with replacement, as many known mergers as there are, as many other galaxies as there are
    (two strata, so that mergers stay as common as they are), and as many splits as there are. A galaxy drawn twice
    counts twice **in every split**: the splits share their galaxies, and drawing anew for each of them would make
    the mean over splits look more certain than it is.

    Attributes:
        seed: the draws depend on it and on the number of galaxies alone.
        count: B.
        strata: (J,) bool over all galaxies of the table, which of them are known mergers.
        splits: number of splits S.
    """

    seed: int
    count: int
    strata: Array
    splits: int

    def galaxies(self) -> Iterator[Array]:
        """Yield (b, J) uint8 counts of each galaxy, for chunks of the B samples."""
        # A generator for each stratum, so that the draws do not depend on the size of the chunks.
        drawers = [np.random.default_rng([self.seed, 2]), np.random.default_rng([self.seed, 3])]
        strata = [np.flatnonzero(self.strata), np.flatnonzero(~self.strata)]
        step = max(1, CHUNK_VALUES // max(1, len(self.strata)))
        for start in range(0, self.count, step):
            rows = min(step, self.count - start)
            counts = np.zeros((rows, len(self.strata)), np.uint8)
            for stratum, generator in zip(strata, drawers, strict=True):
                if len(stratum):
                    drawn = generator.integers(len(stratum), size=(rows, len(stratum)))
                    flat = drawn + np.arange(rows)[:, None] * len(stratum)
                    counted = np.bincount(flat.ravel(), minlength=rows * len(stratum)).reshape(rows, -1)
                    counts[:, stratum] = counted
            yield counts

    def split_counts(self) -> Array:
        """(B, S) how often each split was drawn."""
        generator = np.random.default_rng([self.seed, 1])
        drawn = generator.integers(self.splits, size=(self.count, self.splits))
        return np.stack([np.bincount(row, minlength=self.splits) for row in drawn])


@dataclass(frozen=True)
class Judge:
    """Measures encoders and rankers on the same splits and samples.

    Attributes:
        splits: the splits; ``listed`` counts in the rows that scores are given for.
        resamples: the draws, with ``strata`` over the same rows.
        depths: each k of the metrics.
        curve: further k, of precision and recall alone.
        confidence: of the intervals, such as 0.95.
    """

    splits: Sequence[Split]
    resamples: Resamples
    depths: Sequence[int]
    curve: Sequence[int]
    confidence: float

    def measure(self, scores: Sequence[Array]) -> dict[str, Interval]:
        """Return every metric with its interval.

        The value is the mean over the splits. The interval is the percentile interval of that mean over the drawn
        splits, on the drawn galaxies (see `Resamples`). A split in which a sample has no hidden merger left is left
        out of that sample's mean.

        Args:
            scores: for each split (J,) scores of all rows.

        Returns:
            By name: ``average_precision``, ``auroc``, and ``precision_at_k``, ``recall_at_k``, ``enrichment_at_k``,
            ``ndcg_at_k`` for each k.
        """
        value = _mean(self._values(scores, None, 0), np.ones((1, len(self.splits))))[:, 0]
        drawn = [self._values(scores, w, number) for number, w in enumerate(self.resamples.galaxies(), start=1)]
        samples = _mean(np.concatenate(drawn, axis=2), self.resamples.split_counts())
        tail = 50 * (1 - self.confidence)
        return {
            name: Interval(float(value[row]), *_percentiles(samples[row], tail)) for row, name in enumerate(self.names)
        }

    def by_split(self, scores: Sequence[Array]) -> dict[str, Array]:
        """Return the value of every metric in each split, (S,)."""
        values = self._values(scores, None, 0)[:, :, 0]
        return {name: values[:, row] for row, name in enumerate(self.names)}

    @cached_property
    def names(self) -> list[str]:
        """Names of the metrics, in the order in which they are computed."""
        at_k = [f"{name}_at_{k}" for k in self.depths for name in ("precision", "recall", "enrichment", "ndcg")]
        curve = [f"{name}_at_{k}" for k in self.curve for name in ("precision", "recall")]
        return ["average_precision", "auroc", *at_k, *curve]

    @cached_property
    def _best(self) -> list[list[Array]]:
        """For the plain list and each chunk of samples, and each split: (K, B) DCG of the ideal order."""
        return [[self._ideal(split, w) for split in self.splits] for w in (None, *self.resamples.galaxies())]

    def _ideal(self, split: Split, weights: Array | None) -> Array:
        best = self._rank(split.grades, split, weights)
        return np.stack([dcg_of(best, k) for k in self.depths])

    def _rank(self, scores: Array, split: Split, weights: Array | None) -> Ranking:
        chosen = None if weights is None else weights[:, split.listed]
        return Ranking.of(scores, split.positive, split.grades, chosen, max(self.depths))

    def _values(self, scores: Sequence[Array], weights: Array | None, chunk: int) -> Array:
        """(S, metrics, B) for one chunk of samples."""
        out = []
        for split, score, best in zip(self.splits, scores, self._best[chunk], strict=True):
            got = self._rank(score[split.listed], split, weights)
            rows = [average_precision_of(got), auroc_of(got)]
            for k, ideal in zip(self.depths, best, strict=True):
                precision, recall = _found(got, k)
                enrichment = _ratio(precision * got.total, got.positives)
                rows += [precision, recall, enrichment, _ratio(dcg_of(got, k), ideal)]
            for k in self.curve:
                rows += _found(got, k)
            out.append(np.stack(rows))
        return np.stack(out)


def _found(got: Ranking, k: int) -> tuple[Array, Array]:
    found = found_of(got, k)
    return _ratio(found, np.minimum(k, got.total)), _ratio(found, got.positives)


def _mean(values: Array, weights: Array) -> Array:
    """Mean of (S, metrics, B) over splits by weights (B, S), leaving out what is NaN."""
    weight = weights.T[:, None, :] * np.isfinite(values)
    return _ratio((np.nan_to_num(values) * weight).sum(axis=0), weight.sum(axis=0))


def _percentiles(samples: Array, tail: float) -> tuple[float, float]:
    known = samples[np.isfinite(samples)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(low), float(high)


def _ratio(top: Array, bottom: Array) -> Array:
    shape = np.broadcast_shapes(top.shape, bottom.shape)
    return np.asarray(np.divide(top, bottom, out=np.full(shape, np.nan), where=bottom > 0))

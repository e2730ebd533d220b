"""Every encoder with every ranker, judged on the same hidden mergers: the rows of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from mergerscope.params import EvaluateParams, RankParams, SplitParams
from mergerscope.search.bootstrap import Interval, Judge, Resamples, Split
from mergerscope.search.labels import Labels
from mergerscope.search.rankers import score
from mergerscope.search.significance import WelchTest, paired_permutation, welch
from mergerscope.search.store import EmbeddingStore
from mergerscope.survey.catalog_file import Catalog

__all__ = ["Comparison", "Row", "Trial"]

Array = np.ndarray[Any, Any]

DEPTHS = (10, 20, 50, 100, 200, 500, 1000)
CURVE_POINTS = 40
PERMUTATIONS = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One encoder with one ranker.

    Attributes:
        encoder: its name.
        ranker: its name.
        metrics: value and interval by metric, see `Judge.measure`.
        scores: for each split the scores of the judged galaxies.
    """

    encoder: str
    ranker: str
    metrics: dict[str, Interval]
    scores: tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The selected row against another one, in one metric.

    Attributes:
        encoder: of the other row.
        ranker: of the other row.
        metric: its name.
        difference: of the means over the splits, selected less other.
        welch: Welch's two-tailed t-test over the splits.
        permutation_p: of the paired permutation test over galaxies.
    """

    encoder: str
    ranker: str
    metric: str
    difference: float
    welch: WelchTest
    permutation_p: float


@dataclass(frozen=True)
class Trial:
    """The splits of one survey and the judge of its rankings.

    Attributes:
        splits: (S) with rows of the embeddings; the first one is the catalogue's own.
        judged: (J,) row numbers of all galaxies that some split lists.
        judge: works on scores of the judged galaxies.
        depths: each k of the table.
        curve: each k of the curves.
    """

    splits: Sequence[Split]
    judged: Array
    judge: Judge
    depths: tuple[int, ...]
    curve: tuple[int, ...]

    @classmethod
    def of(cls, catalog: Catalog, labels: Labels, split: SplitParams, evaluate: EvaluateParams) -> Self:
        """Make the splits and draw the bootstrap samples.

        Without a hidden merger in the catalogue's own split nothing can be measured, and that split stands alone.
        """
        splits = labels.splits(catalog, evaluate.splits, split.seed, split.hidden_fraction, evaluate.unknown)
        if not splits[0].hidden:
            splits = splits[:1]
        judged = np.unique(np.concatenate([one.listed for one in splits]))
        inside = [
            replace(one, listed=np.searchsorted(judged, one.listed)) for one in splits
        ]
        resamples = Resamples(split.seed, evaluate.bootstrap, labels.known[judged], len(splits))
        depths, curve = _depths(len(splits[0].listed), splits[0].hidden)
        further = tuple(k for k in curve if k not in depths)
        return cls(splits, judged, Judge(inside, resamples, depths, further, evaluate.confidence), depths, curve)

    @property
    def pool(self) -> int:
        """Galaxies ranked and judged in the catalogue's own split."""
        return len(self.splits[0].listed)

    @property
    def hidden(self) -> int:
        """Hidden mergers among them."""
        return self.splits[0].hidden

    @property
    def chance(self) -> float:
        """Share of hidden mergers: the expected precision of a random order at any k; NaN without a pool."""
        return self.hidden / self.pool if self.pool else float("nan")

    def run(
        self, encoder: str, store: EmbeddingStore, rankers: Sequence[str], settings: RankParams,
        done: Callable[[str], object],
    ) -> list[Row]:
        """Judge one encoder with several rankers; ``done`` is told the name of each finished one."""
        rows = []
        for ranker in rankers:
            scores = tuple(
                score(ranker, store, one.references, settings, one.twins)[self.judged] for one in self.splits
            )
            rows.append(Row(encoder, ranker, self.judge.measure(scores), scores))
            done(ranker)
        return rows

    def compare(self, selected: Row, others: Sequence[Row], seed: int) -> list[Comparison]:
        """Test the selected row against others, in average precision and in precision at each k.

        Something must be hidden in the catalogue's own split.
        """
        found = []
        usable = [one.hidden > 0 for one in self.splits]
        own = self.judge.by_split(selected.scores)
        for other in others:
            values = self.judge.by_split(other.scores)
            tests = paired_permutation(
                selected.scores, other.scores, self.judge.splits, self.depths, PERMUTATIONS, seed
            )
            for metric, test in tests.items():
                one, two = own[metric][usable], values[metric][usable]
                difference = float(np.mean(one) - np.mean(two))
                found.append(Comparison(other.encoder, other.ranker, metric, difference, welch(one, two), test.p))
        return found


def _depths(pool: int, hidden: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return each k of the table, and each k of the curves, which holds the former."""
    table = {k for k in DEPTHS if k <= pool} | ({hidden} if hidden else set())
    spread = np.geomspace(1, pool, CURVE_POINTS).round().astype(int).tolist() if pool else []
    return tuple(sorted(table)) or (1,), tuple(sorted(table | set(spread)))

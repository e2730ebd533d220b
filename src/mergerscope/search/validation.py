"""How well a ranker does on the references alone: some of them hidden among the pool, found again or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mergerscope.errors import ContractError
from mergerscope.params import RankParams
from mergerscope.search.metrics import average_precision, recall_at
from mergerscope.search.rankers import score
from mergerscope.search.store import EmbeddingStore

__all__ = ["Arena", "Validation", "validate", "validation_folds"]

Array = np.ndarray[Any, Any]

POOL = 20_000
"""Galaxies of the pool, and of the background, that a validation works on; so it takes seconds on any survey."""


@dataclass(frozen=True, slots=True)
class Validation:
    """What the held-out references say about one ranker.

    Attributes:
        recall_at_k: mean over folds of the share of held-out references among the k best.
        average_precision: mean over folds.
        per_fold: one dict a fold with ``recall_at_k`` and ``average_precision``.
        k: the k of the recall.
    """

    recall_at_k: float
    average_precision: float
    per_fold: tuple[dict[str, float], ...]
    k: int


def validation_folds(references: Any, folds: int, seed: int, pictures: Any = None) -> list[tuple[Array, Array]]:
    """Return ``folds`` random divisions ``(kept, held)`` of the references, a third held out in each.

    It is pictures that are divided: references with equal pixels are kept together or held out together, for to find
    the copy of a kept one again is no finding. Every picture is held out about equally often: the folds are cut from
    shuffled rounds of all of them. One picture alone cannot be divided, and gives no fold.

    Args:
        references: (M,) row numbers.
        folds: number of divisions.
        seed: of the divisions.
        pictures: (M,) numbers, equal for references with equal pixels; None where all of them differ.
    """
    rows = np.asarray(references, dtype=np.int64)
    order = np.argsort(rows)
    rows = rows[order]
    numbers = rows if pictures is None else np.asarray(pictures)[order]
    _, first, group = np.unique(numbers, return_index=True, return_inverse=True)
    if len(first) < 2:
        return []
    # A picture goes by the place of its first reference, so that its number has no part in the draw.
    leader = first[group]
    drawn = [np.isin(leader, held) for held in _held_out(np.sort(first), folds, seed)]
    return [(rows[~out], rows[out]) for out in drawn]


def _held_out(items: Array, folds: int, seed: int) -> list[Array]:
    """Draw a third of the items ``folds`` times, each item about equally often."""
    size = max(1, round(len(items) / 3))
    generator = np.random.default_rng(seed)
    rounds = -(-folds * size // len(items)) + 1
    deck = np.concatenate([generator.permutation(items) for _ in range(rounds)])
    out = []
    for _ in range(folds):
        # Where a round ends inside a fold, an item may come up twice: take distinct ones, leave the rest.
        _, first = np.unique(deck, return_index=True)
        taken = np.sort(first)[:size]
        out.append(deck[taken])
        deck = np.delete(deck, taken)
    return out


@dataclass(frozen=True, slots=True)
class Arena:
    """The references, their pool, and unlabelled background, copied out of a survey: nothing else can matter.

    Attributes:
        store: these rows alone.
        references: (M,) row numbers in it.
        pool: row numbers in it of the galaxies that are taken for negatives.
        pictures: (M,) numbers, equal for references with equal pixels.
    """

    store: EmbeddingStore
    references: Array
    pool: Array
    pictures: Array

    @classmethod
    def of(
        cls, store: EmbeddingStore, references: Any, pool: Any, background: Any = None, pictures: Any = None
    ) -> Self:
        """Copy the references, and at most 20,000 galaxies of the pool and 20,000 of the background.

        Raises:
            ContractError: the pool is empty.
        """
        known = np.unique(np.asarray(references, dtype=np.int64))
        others = np.setdiff1d(np.asarray(pool, dtype=np.int64), known)
        if not len(others):
            raise ContractError("validation needs pool galaxies beside the references, and there are none.")
        rest = np.arange(store.size) if background is None else np.asarray(background, dtype=np.int64)
        parts = [known, _draw(others), _draw(np.setdiff1d(rest, np.concatenate([known, others])))]
        ends = np.cumsum([len(part) for part in parts])
        return cls(
            store=store.subset(np.concatenate(parts)),
            references=np.arange(ends[0]),
            pool=np.arange(ends[0], ends[1]),
            pictures=known if pictures is None else np.asarray(pictures)[known],
        )

    def validate(self, ranker: str, settings: RankParams, *, k: int, folds: int, seed: int) -> Validation:
        """Hide a third of the references among the pool, rank both, and see where they come; mean over folds."""
        divided = validation_folds(self.references, folds, seed, self.pictures)
        per_fold = tuple(self._fold(kept, held, ranker, settings, k) for kept, held in divided)
        return Validation(_mean(per_fold, "recall_at_k"), _mean(per_fold, "average_precision"), per_fold, k)

    def _fold(self, kept: Array, held: Array, ranker: str, settings: RankParams, k: int) -> dict[str, float]:
        scores = score(ranker, self.store, kept, settings)[np.concatenate([held, self.pool])]
        positive = np.arange(len(scores)) < len(held)
        return {
            "recall_at_k": recall_at(scores, positive, k),
            "average_precision": average_precision(scores, positive),
        }


def validate(
    store: EmbeddingStore, references: Any, pool: Any, ranker: str, settings: RankParams, k: int, folds: int, seed: int,
    *, background: Any = None, pictures: Any = None,
) -> Validation:
    """Hide a third of the references among the pool, rank both, and see where they come; mean over folds.

    Only references and pool enter the figures. All other rows of the store, or those named by ``background``, serve
    as unlabelled background where a ranker wants some. Without two references of different pixels there is nothing to
    hold out, and the values are NaN.

    Args:
        store: the embeddings.
        references: (M,) row numbers.
        pool: row numbers of galaxies that are taken for negatives.
        background: row numbers of further unlabelled galaxies; None is all.
        pictures: (N,) numbers over the rows of the store, equal for equal pixels; None where all differ.
        ranker: a name of `mergerscope.search.rankers.RANKERS`.
        settings: the `rank` block.
        k: of the recall.
        folds: number of divisions.
        seed: of the divisions.

    Raises:
        ContractError: the pool is empty.
    """
    arena = Arena.of(store, references, pool, background, pictures)
    return arena.validate(ranker, settings, k=k, folds=folds, seed=seed)


def _draw(rows: Array) -> Array:
    if len(rows) <= POOL:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, POOL, replace=False))


def _mean(per_fold: tuple[dict[str, float], ...], name: str) -> float:
    return float(np.mean([fold[name] for fold in per_fold])) if per_fold else float("nan")

"""Which ranker to use, chosen by cross-validation over references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mergerscope.params import Params, RankParams
from mergerscope.search.labels import Labels
from mergerscope.search.negatives import recall_depth
from mergerscope.search.rankers import available
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.validation import Arena, Validation
from mergerscope.search.write import number

__all__ = ["Choice", "choose_by_labels", "choose_ranker"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen ranker, and what each candidate reached.

    Attributes:
        ranker: the name.
        table: one dict a candidate: ``ranker, average_precision, recall_at_k, k, folds, chosen``; values are None
            where there were too few references to tell.
        reason: one sentence for people.
    """

    ranker: str
    table: list[dict[str, Any]]
    reason: str


def choose_by_labels(store: EmbeddingStore, labels: Labels, references: Any, params: Params) -> Choice:
    """Choose as the pipeline does: ``references`` held out in turn and searched for in the validation pool.

    Recall is taken at `train.monitor_k`, and at no more than half the pool.
    """
    pool = labels.validation_pool()
    k = recall_depth(params.train.monitor_k, len(pool))
    return choose_ranker(
        store, references, pool, params.rank, k, params.split.seed,
        background=labels.background(), pictures=labels.pictures,
    )  # fmt: skip


def choose_ranker(
    store: EmbeddingStore, references: Any, pool: Any, settings: RankParams, k: int, seed: int,
    background: Any = None, pictures: Any = None,
) -> Choice:
    """Return ``settings.ranker``, or, for ``auto``, the best one by average precision on held-out references.

    Equal ones go to the simpler. With fewer than two references of different pixels nothing can be held out, and the
    choice falls on `mean_cosine`. For ``background`` and ``pictures`` see `mergerscope.search.validation.validate`.
    """
    names: tuple[str, ...] = available(store) if settings.ranker == "auto" else (settings.ranker,)
    arena = Arena.of(store, references, pool, background, pictures)
    results = {name: arena.validate(name, settings, k=k, folds=settings.folds, seed=seed) for name in names}
    if settings.ranker != "auto":
        chosen, reason = names[0], "set by rank.ranker"
    elif len(np.unique(arena.pictures)) < 2:
        chosen, reason = "mean_cosine", "one reference alone cannot be held out, so the simplest ranker is taken"
    else:
        chosen = max(names, key=lambda name: results[name].average_precision)
        reason = f"best average precision over {settings.folds} folds of the references"
    return Choice(chosen, [_row(name, results[name], chosen) for name in names], reason)


def _row(name: str, result: Validation, chosen: str) -> dict[str, Any]:
    return {
        "ranker": name,
        "average_precision": number(result.average_precision),
        "recall_at_k": number(result.recall_at_k),
        "k": result.k,
        "folds": len(result.per_fold),
        "chosen": name == chosen,
    }

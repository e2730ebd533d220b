"""Rankers: embeddings and references in, one score a galaxy out; larger is more like a merger.

Each file holds one, as a function ``score(store, references, settings, twins)``. What a score means differs between
them, and only its order is used. Scores of the references themselves are not meaningful: they were fitted on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from mergerscope.errors import ContractError
from mergerscope.params import RankParams
from mergerscope.search.rankers import (
    blend,
    centred,
    contrast,
    density,
    lda,
    logistic,
    mean_cosine,
    nearest,
    pairs_head,
    whitened,
)
from mergerscope.search.store import EmbeddingStore

__all__ = ["RANKERS", "available", "score"]

Array = np.ndarray[Any, Any]

RANKERS: Mapping[str, Callable[[EmbeddingStore, Array, RankParams, Array], Array]] = MappingProxyType({
    "mean_cosine": mean_cosine.score,
    "centred": centred.score,
    "whitened": whitened.score,
    "nearest": nearest.score,
    "contrast": contrast.score,
    "density": density.score,
    "lda": lda.score,
    "logistic": logistic.score,
    "pairs_head": pairs_head.score,
    "blend": blend.score,
})

NEED_PAIRS_HEAD = frozenset({"pairs_head", "blend"})


def available(store: EmbeddingStore) -> tuple[str, ...]:
    """Return the names of the rankers that can score ``store``, simplest first."""
    return tuple(name for name in RANKERS if name not in NEED_PAIRS_HEAD or store.pairs_logit is not None)


def score(name: str, store: EmbeddingStore, references: Any, settings: RankParams, twins: Any = ()) -> Array:
    """Return one float32 score for each of the N rows of ``store`` by the ranker ``name``.

    Args:
        name: a key of `RANKERS` (not ``auto``, which `mergerscope.search.choose` resolves).
        store: the embeddings.
        references: (M,) row numbers of the known mergers, M >= 1.
        settings: the `rank` block.
        twins: row numbers of galaxies with the pixels of a reference and no merger vote of their own. They are scored
            like any other, and stand neither for mergers nor for what is none.

    Raises:
        ContractError: the name is unknown, there is no reference, or a score is not a finite number.
    """
    if name not in RANKERS:
        raise ContractError(f"there is no ranker {name!r}; known are {', '.join(RANKERS)}.")
    rows = np.asarray(references, dtype=np.int64)
    if len(rows) == 0:
        raise ContractError("no galaxy is a reference, so there is nothing to be like. Look at `target.threshold`, "
                            "or give the survey known mergers.")
    scores = RANKERS[name](store, rows, settings, np.asarray(twins, dtype=np.int64))
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise ContractError(f"ranker {name}: the score of {len(bad)} galaxies is not a finite number, the first is "
                            f"{store.names[bad[0]].decode()}. Its embedding is likely not finite: run `mergerscope "
                            "embed` again.")
    return scores

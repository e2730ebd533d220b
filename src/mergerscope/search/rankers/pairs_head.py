"""The logit of the network's own head for synthetic pairs: needs no reference."""

from __future__ import annotations

from typing import Any

import numpy as np

from mergerscope.errors import ContractError
from mergerscope.params import RankParams
from mergerscope.search.store import EmbeddingStore

__all__ = ["score"]

Array = np.ndarray[Any, Any]


def score(store: EmbeddingStore, references: Array, settings: RankParams, twins: Array) -> Array:
    """Return the logit of every row as it was embedded.

    Raises:
        ContractError: the encoder had no such head.
    """
    if store.pairs_logit is None:
        raise ContractError("the ranker pairs_head needs an encoder trained with objective.pairs.weight above 0; "
                            "these embeddings hold no logits. Train with that term, or choose another rank.ranker.")
    return store.pairs_logit.astype(np.float32)

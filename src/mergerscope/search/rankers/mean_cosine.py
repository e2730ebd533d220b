"""Mean cosine similarity to all references: equation (2) of the paper that began this search."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mergerscope.params import RankParams
from mergerscope.search.similarity import cosine_to, mean_direction
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import score_blocks

__all__ = ["score"]

Array = np.ndarray[Any, Any]

def score(store: EmbeddingStore, references: Array, settings: RankParams, twins: Array) -> Array:
    """Score all rows by one dot product each: O(N D), where all pairs are O(N M D)."""
    direction = mean_direction(torch.from_numpy(store.rows(references)))
    return score_blocks(store, lambda start, block: cosine_to(direction, block))

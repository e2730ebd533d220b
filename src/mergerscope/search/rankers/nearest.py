"""Mean cosine similarity to the few most similar references, whitened."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mergerscope.params import RankParams
from mergerscope.search.similarity import Likeness
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import score_blocks

__all__ = ["score"]

Array = np.ndarray[Any, Any]

def score(store: EmbeddingStore, references: Array, settings: RankParams, twins: Array) -> Array:
    """Score all rows by the mean of their ``nearest_references`` largest similarities (all, where fewer)."""
    likeness = Likeness(store, references)
    count = min(settings.nearest_references, len(references))

    def mean_of_nearest(start: int, block: torch.Tensor) -> torch.Tensor:
        return likeness(start, likeness.of(block)).topk(count, dim=1).values.mean(dim=1)

    return score_blocks(store, mean_of_nearest)

"""Mean cosine similarity after the mean of the survey is taken off."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mergerscope.params import RankParams
from mergerscope.search.moments import pool_mean
from mergerscope.search.similarity import cosine_to, mean_direction
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import score_blocks

__all__ = ["score"]

Array = np.ndarray[Any, Any]

def score(store: EmbeddingStore, references: Array, settings: RankParams, twins: Array) -> Array:
    """Score all rows by their mean cosine similarity to the references, seen from the middle of the survey."""
    mean = torch.from_numpy(pool_mean(store).astype(np.float32))
    direction = mean_direction(torch.from_numpy(store.rows(references)) - mean)
    return score_blocks(store, lambda start, block: cosine_to(direction, block - mean))

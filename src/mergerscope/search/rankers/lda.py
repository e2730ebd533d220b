"""Shrinkage linear discriminant: references against everything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mergerscope.params import RankParams
from mergerscope.search.moments import pool_moments
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import score_blocks

__all__ = ["score"]

Array = np.ndarray[Any, Any]

def score(store: EmbeddingStore, references: Array, settings: RankParams, twins: Array) -> Array:
    """Score all rows by their position along Fisher's direction S^-1 (mean of references - mean of all).

    S is the shrunk covariance of all rows. Fisher's direction is the same whether the references and the
    mergers that hide in the background count into S or not, but for the shrinkage.
    """
    moments = pool_moments(store)
    difference = store.rows(references).mean(axis=0, dtype=np.float64) - moments.mean
    direction = moments.whitening @ (moments.whitening.T @ difference)
    weights, offset = torch.from_numpy(direction.astype(np.float32)), float(moments.mean @ direction)
    return score_blocks(store, lambda start, block: torch.mv(block, weights).sub_(offset))

"""Likeness to the nearest references minus likeness to the nearest background galaxies, whitened."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mergerscope.params import RankParams
from mergerscope.search.background import BACKGROUND, sample_background
from mergerscope.search.similarity import Likeness
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import score_blocks

__all__ = ["score"]

Array = np.ndarray[Any, Any]

def score(store: EmbeddingStore, references: Array, settings: RankParams, twins: Array) -> Array:
    """Score all rows: mean of m largest reference similarities minus mean of n largest background ones."""
    to_references = Likeness(store, references)
    to_background = Likeness(store, sample_background(store, references, BACKGROUND, twins))
    m = min(settings.nearest_references, len(references))
    n = min(settings.nearest_background, len(to_background.units))

    def difference(start: int, block: torch.Tensor) -> torch.Tensor:
        units = to_references.of(block)
        near = to_references(start, units).topk(m, dim=1).values.mean(dim=1)
        return near - to_background(start, units).topk(n, dim=1).values.mean(dim=1) if n else near

    return score_blocks(store, difference)

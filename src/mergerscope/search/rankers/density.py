"""How much denser the references lie around a galaxy than galaxies in general do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from mergerscope.params import RankParams
from mergerscope.search.background import BACKGROUND, sample_background
from mergerscope.search.similarity import Likeness
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import score_blocks

__all__ = ["cosine_spread", "score"]

Array = np.ndarray[Any, Any]

REFERENCE_WIDTH = 3.0
BACKGROUND_WIDTH = 2.0
"""Widths of the two kernels in standard deviations of the cosine between two galaxies. References are few and need
the wider one; chosen, as the shrinkage of the whitening, on held-out references of trained and untrained encoders."""

NARROWEST = 0.01
"""Of the standard deviation of cosines: it is reached where galaxies hardly differ at all."""

SMALLEST = 1e-37
"""Of float32, nearly: what is unlike every reference must still have a logarithm."""


def score(store: EmbeddingStore, references: Array, settings: RankParams, twins: Array) -> Array:
    """Score all rows by the log ratio of two kernel densities on the whitened unit sphere.

    score(x) = log mean_r exp(cos(x, r) / h_r) - log mean_b exp(cos(x, b) / h_b) over references r and background
    galaxies b: up to a constant the log-odds of being a merger, if both densities were exact (Bayes' rule with
    Parzen windows). A linear head knows one way to be a merger; this knows that mergers, and what only looks like
    one, come in several kinds. A reference is scored as if it were none.
    """
    to_references = Likeness(store, references)
    background = sample_background(store, references, BACKGROUND, twins)
    to_background = Likeness(store, background)
    spread = cosine_spread(to_background.units) if len(background) > 1 else 1.0

    def ratio(start: int, block: torch.Tensor) -> torch.Tensor:
        units = to_references.of(block)
        near = log_mean_kernel(to_references(start, units), REFERENCE_WIDTH * spread)
        if not len(background):
            return near
        return near - log_mean_kernel(to_background(start, units), BACKGROUND_WIDTH * spread)

    return score_blocks(store, ratio)


def log_mean_kernel(cosine: torch.Tensor, width: float) -> torch.Tensor:
    """Return log mean exp(cosine / width) over the columns of (b, m) cosines, which are overwritten.

    No cosine exceeds 1, so exp((cosine - 1) / width) cannot overflow, and no largest one need be sought first.
    """
    kernel = cosine.sub_(1.0).div_(width).exp_().mean(dim=1)
    return kernel.clamp_min_(SMALLEST).log_() + 1 / width


def cosine_spread(units: torch.Tensor) -> float:
    """Return the standard deviation of the cosine between two different ones of (m, D) unit vectors, m > 1."""
    count = len(units)
    # The sums over all pairs come from D x D moments; a vector's cosine with itself is 1 and is taken off.
    squares = float((units.T @ units).double().square().sum())
    total = float(units.double().sum(dim=0).square().sum())
    pairs = count * (count - 1)
    mean = (total - count) / pairs
    return math.sqrt(max((squares - count) / pairs - mean**2, NARROWEST**2))

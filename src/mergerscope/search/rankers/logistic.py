"""Regularised logistic regression: references against unlabelled background, both classes weighing the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize

from mergerscope.params import RankParams
from mergerscope.search.background import sample_background
from mergerscope.search.moments import pool_moments
from mergerscope.search.similarity import affine, unit_rows
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import score_blocks

__all__ = ["balanced_logistic", "score"]

Array = np.ndarray[Any, Any]

FITTED = 20_000
"""Unlabelled galaxies that the fit sees."""

PENALTY = 10.0
"""Ridge on the weights, for features of unit variance; chosen on held-out references."""


def score(store: EmbeddingStore, references: Array, settings: RankParams, twins: Array) -> Array:
    """Score all rows by the fitted logit of their whitened unit vectors.

    Some positives hide in the background. With both classes brought to the same weight they flatten the slope and
    shift the intercept, neither of which moves the order of the galaxies (Elkan and Noto 2008).
    """
    moments = pool_moments(store)
    whiten = affine(moments, moments.whitening)
    background = sample_background(store, references, FITTED, twins)
    rows = torch.from_numpy(store.rows(np.concatenate([references, background])))
    features = unit_rows(whiten(rows)).numpy() * np.float32(store.dim**0.5)
    weights = torch.from_numpy(balanced_logistic(features, np.arange(len(rows)) < len(references), PENALTY))
    return score_blocks(store, lambda start, block: torch.mv(unit_rows(whiten(block)), weights))


def balanced_logistic(features: Array, positive: Array, penalty: float) -> Array:
    """Return the weights (D,) that minimise the mean logistic loss, averaged over both classes, plus the ridge.

    Args:
        features: (n, D) float32.
        positive: (n,) bool; without a negative the weights point at the positives.
        penalty: the ridge is ``penalty / 2 * |weights|^2``; the intercept is free of it.
    """
    sign = np.where(positive, 1.0, -1.0)
    weight = np.where(positive, 0.5 / max(1, positive.sum()), 0.5 / max(1, (~positive).sum()))

    def loss(parameters: Array) -> tuple[float, Array]:
        margin = sign * (features @ parameters[:-1].astype(np.float32) + parameters[-1])
        value = float(weight @ np.logaddexp(0.0, -margin)) + 0.5 * penalty * float(parameters[:-1] @ parameters[:-1])
        # 1 / (1 + e^m) by way of tanh, which does not overflow.
        slope = -sign * weight * 0.5 * (1 - np.tanh(margin / 2))
        down = features.T @ slope.astype(np.float32) + penalty * parameters[:-1]
        return value, np.append(down, slope.sum())

    found = minimize(loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x[:-1], dtype=np.float32)

"""Two kinds of evidence in one score: density of the references, and the logit of the `pairs` head."""

from __future__ import annotations

from typing import Any

import numpy as np

from mergerscope.params import RankParams
from mergerscope.search.background import BACKGROUND, sample_background
from mergerscope.search.metrics import average_precision
from mergerscope.search.rankers import density, pairs_head
from mergerscope.search.store import EmbeddingStore

__all__ = ["score"]

Array = np.ndarray[Any, Any]

WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0)
"""Of the logit beside the density, both in units of their spread."""


def score(store: EmbeddingStore, references: Array, settings: RankParams, twins: Array) -> Array:
    """Score all rows by `density` plus a weight times the logit, each in units of its spread over the survey.

    The references choose the weight: the one by which they stand highest, in average precision, among the
    background. That is no fit to what it is measured on, since `density` scores a reference as if it were none and
    the logit knows no reference. Equal ones go to the smaller weight.
    """
    scores = [part.score(store, references, settings, twins) for part in (density, pairs_head)]
    parts = [_standard(values, store.survey.size) for values in scores]
    background = sample_background(store, references, BACKGROUND, twins)
    rows = np.concatenate([references, background])
    positive = np.arange(len(rows)) < len(references)

    def reached(weight: float) -> float:
        return average_precision(parts[0][rows] + weight * parts[1][rows], positive)

    weight = max(WEIGHTS, key=reached) if len(references) > 1 else 0.0
    return np.asarray(parts[0] + np.float32(weight) * parts[1])


def _standard(values: Array, survey: int) -> Array:
    """Centre on the median and divide by half the width of the middle two thirds, which few mergers cannot move."""
    low, middle, high = np.percentile(values[:survey], [16, 50, 84])
    return np.asarray((values - middle) / max((high - low) / 2, 1e-6), dtype=np.float32)

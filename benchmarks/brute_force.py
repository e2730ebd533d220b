"""Rankers written down as plainly as can be, in float64 and NumPy, to hold the streamed ones against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mergerscope.params import RankParams
from mergerscope.search.background import BACKGROUND, sample_background
from mergerscope.search.moments import SHRINKAGE
from mergerscope.search.rankers.density import BACKGROUND_WIDTH, REFERENCE_WIDTH
from mergerscope.search.shortlist import rank_order
from mergerscope.search.store import EmbeddingStore

__all__ = ["BRUTE", "disagreement"]

Array = np.ndarray
SETTINGS = RankParams()


def unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def whitened(values: Array) -> Array:
    """Return the values in coordinates in which the shrunk covariance is the identity."""
    middle = values - values.mean(axis=0)
    variances, axes = np.linalg.eigh(middle.T @ middle / len(values))
    shrunk = (1 - SHRINKAGE) * variances + SHRINKAGE * variances.mean()
    return middle @ axes / np.sqrt(shrunk)


def cosines(values: Array, columns: Array, own: bool) -> Array:
    """Return the cosines of all rows to some of them; -1 of one of these to itself where ``own`` does not count."""
    units = unit(values)
    found = units @ units[columns].T
    if not own:
        found[columns, np.arange(len(columns))] = -1
    return found


def mean_of_largest(found: Array, count: int) -> Array:
    return -np.partition(-found, count - 1, axis=1)[:, :count].mean(axis=1)


def mean_cosine(store: EmbeddingStore, values: Array, references: Array) -> Array:
    return cosines(values, references, own=True).mean(axis=1)


def centred(store: EmbeddingStore, values: Array, references: Array) -> Array:
    return cosines(values - values.mean(axis=0), references, own=True).mean(axis=1)


def whitened_cosine(store: EmbeddingStore, values: Array, references: Array) -> Array:
    return cosines(whitened(values), references, own=True).mean(axis=1)


def nearest(store: EmbeddingStore, values: Array, references: Array) -> Array:
    return mean_of_largest(cosines(whitened(values), references, own=False), SETTINGS.nearest_references)


def contrast(store: EmbeddingStore, values: Array, references: Array) -> Array:
    background = sample_background(store, references, BACKGROUND)
    far = mean_of_largest(cosines(whitened(values), background, own=False), SETTINGS.nearest_background)
    return nearest(store, values, references) - far


def density(store: EmbeddingStore, values: Array, references: Array) -> Array:
    white = whitened(values)
    background = sample_background(store, references, BACKGROUND)
    units = unit(white[background])
    between = (units @ units.T)[~np.eye(len(units), dtype=bool)]
    near = cosines(white, references, own=False) / (REFERENCE_WIDTH * between.std())
    far = cosines(white, background, own=False) / (BACKGROUND_WIDTH * between.std())
    return np.log(np.exp(near).mean(axis=1)) - np.log(np.exp(far).mean(axis=1))


def lda(store: EmbeddingStore, values: Array, references: Array) -> Array:
    white = whitened(values)
    return white @ white[references].mean(axis=0)


def pairs_head(store: EmbeddingStore, values: Array, references: Array) -> Array:
    return store.pairs_logit.astype(np.float64)


BRUTE: dict[str, Callable[[EmbeddingStore, Array, Array], Array]] = {
    "mean_cosine": mean_cosine, "centred": centred, "whitened": whitened_cosine, "nearest": nearest,
    "contrast": contrast, "density": density, "lda": lda, "pairs_head": pairs_head,
}  # fmt: skip


def disagreement(found: Array, exact: Array, ids: Array, top: int) -> tuple[float, int]:
    """Return how far scores lie from exact ones, in units of their spread, and how many of the best are others.

    A galaxy in whose place another stands with the same exact score, to within that distance, is none of the others.
    """
    apart = np.abs(found - exact).max()
    ours, theirs = rank_order(found, ids)[:top], rank_order(exact, ids)[:top]
    strays = np.setdiff1d(ours, theirs)
    wrong = int((np.abs(exact[strays] - exact[theirs[-1]]) > 2 * apart).sum())
    return float(apart / exact.std()), wrong

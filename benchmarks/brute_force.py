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
CHUNK = 5000


def unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def whitened(values: Array) -> Array:
    """Return the values in coordinates in which the shrunk covariance is the identity."""
    middle = values - values.mean(axis=0)
    variances, axes = np.linalg.eigh(middle.T @ middle / len(values))
    shrunk = (1 - SHRINKAGE) * variances + SHRINKAGE * variances.mean()
    return middle @ axes / np.sqrt(shrunk)


def likeness(values: Array, columns: Array, own: bool, reduce: Callable[[Array], Array]) -> Array:
    """Return what ``reduce`` makes of each row's cosines to some of the rows.

    Where ``own`` does not count, one of these has -1 to itself.
    """
    units = unit(values)
    parts = []
    for start in range(0, len(units), CHUNK):
        found = units[start : start + CHUNK] @ units[columns].T
        if not own:
            found[np.equal.outer(np.arange(start, start + len(found)), columns)] = -1
        parts.append(reduce(found))
    return np.concatenate(parts)


def mean(found: Array) -> Array:
    return found.mean(axis=1)


def mean_of_largest(count: int) -> Callable[[Array], Array]:
    return lambda found: np.sort(found, axis=1)[:, -count:].mean(axis=1)


def log_mean_exp(width: float) -> Callable[[Array], Array]:
    return lambda found: np.log(np.exp(found / width).mean(axis=1))


def mean_cosine(store: EmbeddingStore, values: Array, references: Array) -> Array:
    return likeness(values, references, True, mean)


def centred(store: EmbeddingStore, values: Array, references: Array) -> Array:
    return likeness(values - values.mean(axis=0), references, True, mean)


def whitened_cosine(store: EmbeddingStore, values: Array, references: Array) -> Array:
    return likeness(whitened(values), references, True, mean)


def nearest(store: EmbeddingStore, values: Array, references: Array) -> Array:
    return likeness(whitened(values), references, False, mean_of_largest(SETTINGS.nearest_references))


def contrast(store: EmbeddingStore, values: Array, references: Array) -> Array:
    background = sample_background(store, references, BACKGROUND)
    far = likeness(whitened(values), background, False, mean_of_largest(SETTINGS.nearest_background))
    return nearest(store, values, references) - far


def density(store: EmbeddingStore, values: Array, references: Array) -> Array:
    white = whitened(values)
    background = sample_background(store, references, BACKGROUND)
    units = unit(white[background])
    spread = (units @ units.T)[~np.eye(len(units), dtype=bool)].std()
    near = likeness(white, references, False, log_mean_exp(REFERENCE_WIDTH * spread))
    return near - likeness(white, background, False, log_mean_exp(BACKGROUND_WIDTH * spread))


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

"""Mean, spread and principal axes of all embeddings of a store, from one streamed pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from mergerscope.search.kept import kept_arrays
from mergerscope.search.store import EmbeddingStore, block_rows
from mergerscope.search.stream import sum_blocks

__all__ = ["Moments", "know_moments", "pool_mean", "pool_moments"]

Array = np.ndarray[Any, Any]

SHRINKAGE = 0.1
"""Share of the mean variance in every direction after shrinking.

Chosen on held-out references of trained and untrained encoders. The strengths that are optimal for estimating a
covariance (Ledoit and Wolf 2004; OAS, Chen et al. 2010, arXiv:0907.4698) come out near .001 for thousands of galaxies,
and let directions of almost no variance decide, in which a hundred references tell only noise.
"""

ALL_AXES, FEW_AXES = 1024, 512

DEAD = 1e-9
"""Directions with less than this share of the largest variance carry rounding only, and are switched off."""


@dataclass(frozen=True)
class Moments:
    """First and second moments of N embeddings.

    Attributes:
        count: N.
        mean: (D,) float64.
        covariance: (D, D) float64, divided by N.
    """

    count: int
    mean: Array
    covariance: Array

    @cached_property
    def axes(self) -> tuple[Array, Array]:
        """Variances (A,), ascending and not negative, along the principal axes (D, A), in columns.

        A = D up to 1,024 dimensions. Beyond, the 512 widest axes, found by subspace iteration (Halko et al. 2011,
        arXiv:0909.4061): all of them would take minutes, and what is left out varies less than the shrinkage adds.
        """
        if len(self.mean) <= ALL_AXES:
            values, vectors = np.linalg.eigh(self.covariance)
            return values.clip(0.0), vectors
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found, values_desc, _ = torch.svd_lowrank(torch.from_numpy(self.covariance).float(), q=FEW_AXES, niter=4)
        return values_desc.flip(0).double().numpy(), found.flip(1).double().numpy()

    @cached_property
    def whitening(self) -> Array:
        """(D, A) matrix W with ``(x - mean) @ W`` white, up to `SHRINKAGE` towards the mean variance.

        The outcome does not change when the embedding is rotated or scaled.
        """
        values, vectors = self.axes
        shrunk = (1 - SHRINKAGE) * values + SHRINKAGE * np.trace(self.covariance) / len(self.mean)
        # What never varies stays without any weight, whatever the shrinkage.
        alive = values > DEAD * values.max(initial=0.0)
        return np.asarray(vectors * np.divide(1.0, np.sqrt(shrunk), out=np.zeros_like(values), where=alive))


_KNOWN: WeakKeyDictionary[EmbeddingStore, Moments] = WeakKeyDictionary()


def pool_moments(store: EmbeddingStore) -> Moments:
    """Return the moments over the survey's rows of ``store``, in one pass the first time and from memory afterwards.

    References and unknown mergers are among the rows: no label is used, and they are too few to matter.
    """
    survey = store.survey
    if survey not in _KNOWN:
        kept = kept_arrays(f"moments-{survey.size}", lambda: vars(_measure(survey)))
        _KNOWN[survey] = Moments(int(kept["count"]), kept["mean"], kept["covariance"])
    return _KNOWN[survey]


def know_moments(store: EmbeddingStore, moments: Moments) -> None:
    """Take moments that were measured before for those of ``store``, and so save the pass."""
    _KNOWN[store.survey] = moments


def pool_mean(store: EmbeddingStore) -> Array:
    """Return the mean (D,) of the survey's rows, float64, that of `pool_moments` to the last bit.

    Where the moments are not known, it takes a pass of its own, which costs a tenth of theirs or less.
    """
    survey = store.survey
    if survey in _KNOWN:
        return _KNOWN[survey].mean
    return kept_arrays(f"mean-{survey.size}", lambda: {"mean": _measure_mean(survey)})["mean"]


def _measure(store: EmbeddingStore) -> Moments:
    centre = _centre(store)

    def partial(start: int, block: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shifted = block - centre
        return shifted.sum(dim=0, dtype=torch.float64), shifted.T @ shifted

    total, squares = sum_blocks(store, partial, _rows(store))
    offset = total / store.size
    covariance = squares / store.size - np.outer(offset, offset)
    return Moments(store.size, centre.numpy().astype(np.float64) + offset, covariance)


def _measure_mean(store: EmbeddingStore) -> Array:
    centre = _centre(store)
    (total,) = sum_blocks(
        store, lambda start, block: [(block - centre).sum(dim=0, dtype=torch.float64)], _rows(store)
    )
    return np.asarray(centre.numpy().astype(np.float64) + total / store.size)


def _centre(store: EmbeddingStore) -> torch.Tensor:
    # Sums of squares lose digits far from the origin, so they are taken about a point inside the cloud.
    first = next(store.blocks())[1]
    return torch.from_numpy(first.mean(axis=0, dtype=np.float64).astype(np.float32))


def _rows(store: EmbeddingStore) -> int:
    # As many rows as columns at least: adding up the (D, D) products must cost less than making them.
    return max(block_rows(store.dim), store.dim)

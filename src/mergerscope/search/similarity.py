"""Cosine similarity to one direction, and the affine maps that rankers put before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mergerscope.search.moments import Moments, pool_moments
from mergerscope.search.store import EmbeddingStore

__all__ = ["Likeness", "affine", "cosine_to", "mean_direction", "unit_rows"]

Array = np.ndarray[Any, Any]


def unit_rows(rows: torch.Tensor) -> torch.Tensor:
    """Return (b, D) rows of length 1; a row of zeros stays zero, and so is unlike everything."""
    return torch.nn.functional.normalize(rows, dim=1, eps=1e-12)


def mean_direction(references: torch.Tensor) -> torch.Tensor:
    """Return the mean (D,) of the unit vectors of (M, D) references.

    The mean cosine similarity of x to all references is the dot product of x / |x| with it.
    """
    return unit_rows(references.double()).mean(dim=0).float()


def cosine_to(direction: torch.Tensor, block: torch.Tensor) -> torch.Tensor:
    """Return the dot products (b,) of the unit vectors of (b, D) rows with ``direction`` (D,)."""
    length = torch.linalg.vector_norm(block, dim=1).clamp_min_(1e-12)
    return torch.mv(block, direction).div_(length)


def affine(moments: Moments, matrix: Array) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function x -> (x - mean) @ matrix on float32 rows."""
    mean = torch.from_numpy(moments.mean.astype(np.float32))
    weights = torch.from_numpy(matrix.astype(np.float32))
    return lambda block: (block - mean) @ weights


class Likeness:
    """Whitened cosines of any galaxies of a store to a fixed few of them.

    Args:
        store: the embeddings.
        rows: (m,) row numbers of the few.
    """

    def __init__(self, store: EmbeddingStore, rows: Array) -> None:
        moments = pool_moments(store)
        self._whiten = affine(moments, moments.whitening)
        self.units = self.of(torch.from_numpy(store.rows(rows)))
        # Sorted, and not by row of the store: a worker elsewhere is sent this object.
        self._column = np.argsort(rows)
        self._rows = rows[self._column]

    def of(self, block: torch.Tensor) -> torch.Tensor:
        """Return the whitened unit vectors (b, D) of embeddings (b, D)."""
        return unit_rows(self._whiten(block))

    def __call__(self, start: int, units: torch.Tensor) -> torch.Tensor:
        """Return the cosines (b, m) of consecutive galaxies from row ``start`` on, given as whitened unit vectors.

        One of the few is as far as can be from itself, -1: so each is scored as if it were not among them.
        """
        cosine = units @ self.units.T
        low, high = np.searchsorted(self._rows, [start, start + len(units)])
        cosine[self._rows[low:high] - start, self._column[low:high]] = -1.0
        return cosine

"""Which references a galaxy is most like."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mergerscope.search.moments import pool_moments
from mergerscope.search.similarity import affine, unit_rows
from mergerscope.search.store import EmbeddingStore

__all__ = ["nearest_references"]

Array = np.ndarray[Any, Any]


def nearest_references(store: EmbeddingStore, rows: Any, references: Any, count: int) -> tuple[Array, Array]:
    """Return the ``count`` most similar references of each galaxy, most similar first.

    Likeness is the cosine after shrinkage whitening: in the raw embedding all galaxies share a large mean, and all
    cosines lie near 1. A galaxy that is itself a reference does not count as its own.

    Args:
        store: the embeddings.
        rows: (m,) row numbers of the galaxies.
        references: (M,) row numbers of the references.
        count: columns asked for.

    Returns:
        Row numbers of references (m, count) int64 and cosines (m, count) float32; -1 and NaN where there are fewer.
    """
    asked, known = np.asarray(rows, dtype=np.int64), np.asarray(references, dtype=np.int64)
    moments = pool_moments(store)
    whiten = affine(moments, moments.whitening)
    units = unit_rows(whiten(torch.from_numpy(store.rows(known))))
    found = np.full((len(asked), count), -1, np.int64)
    similarity = np.full((len(asked), count), np.nan, np.float32)
    for start, block in store.blocks(asked):
        cosine = unit_rows(whiten(torch.from_numpy(block))) @ units.T
        here = asked[start : start + len(block)]
        cosine[torch.from_numpy(here[:, None] == known[None])] = -torch.inf
        # A stable full sort, so that equal references come in catalogue order and not as a library likes it.
        values, order = torch.sort(cosine, dim=1, descending=True, stable=True)
        values, order = values[:, :count], order[:, :count]
        there = torch.isfinite(values).numpy()
        found[start : start + len(block), : order.shape[1]] = np.where(there, known[order.numpy()], -1)
        similarity[start : start + len(block), : order.shape[1]] = np.where(there, values.numpy(), np.nan)
    return found, similarity

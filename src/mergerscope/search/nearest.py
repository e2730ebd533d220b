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
    # In the order of the files: in that of a ranked list, each row of a survey of millions would be a read of its own.
    order = np.argsort(asked, kind="stable")
    for start, block in store.blocks(asked[order]):
        here = order[start : start + len(block)]
        cosine = unit_rows(whiten(torch.from_numpy(block))) @ units.T
        cosine[torch.from_numpy(asked[here][:, None] == known[None])] = -torch.inf
        values, places = (part[:, :count] for part in _largest(cosine, count))
        there = torch.isfinite(values).numpy()
        found[here, : places.shape[1]] = np.where(there, known[places.numpy()], -1)
        similarity[here, : places.shape[1]] = np.where(there, values.numpy(), np.nan)
    return found, similarity


def _largest(cosine: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return at least the ``count`` largest values of each row and their places; equal ones by place, ascending."""
    if count >= cosine.shape[1]:
        return torch.sort(cosine, dim=1, descending=True, stable=True)
    # Which of two equal values comes first, and which of them is left out, is as a library likes it: sort those rows.
    values, places = cosine.topk(count + 1, dim=1)
    tied = torch.nonzero((values[:, 1:] == values[:, :-1]).any(dim=1)).squeeze(1)
    if len(tied):
        sorted_values, sorted_places = torch.sort(cosine[tied], dim=1, descending=True, stable=True)
        values[tied], places[tied] = sorted_values[:, : count + 1], sorted_places[:, : count + 1]
    return values, places

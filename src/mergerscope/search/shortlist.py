"""The order of a ranked list, whole or its top, the same at every call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["rank_order", "top_k"]

Array = np.ndarray[Any, Any]


def rank_order(scores: Any, ids: Any) -> Array:
    """Return the row numbers from the best score to the worst; equal scores by id, ascending."""
    return np.lexsort((np.asarray(ids), -np.asarray(scores, dtype=np.float64)))


def top_k(blocks: Iterable[tuple[Array, Array]], k: int) -> tuple[Array, Array]:
    """Return the ids and scores of the ``k`` best of a list that comes in blocks, in `rank_order`.

    Holds about 2 k entries and one block at any time, however long the list is.

    Args:
        blocks: pairs of (b,) ids and (b,) scores.
        k: entries wanted; all where the list is shorter.
    """
    ids, scores = np.empty(0, np.str_), np.empty(0, np.float32)
    for block_ids, block_scores in blocks:
        ids, scores = np.concatenate([ids, block_ids]), np.concatenate([scores, block_scores])
        if len(ids) > k:
            kept = rank_order(scores, ids)[:k]
            ids, scores = ids[kept], scores[kept]
    order = rank_order(scores, ids)
    return ids[order], scores[order]

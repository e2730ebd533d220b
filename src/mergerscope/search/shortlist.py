"""The order of a ranked list, the same at every call."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["rank_order"]

Array = np.ndarray[Any, Any]


def rank_order(scores: Any, ids: Any) -> Array:
    """Return the row numbers from the best score to the worst; equal scores by id, ascending."""
    below = -np.asarray(scores)
    order = np.argsort(below, kind="stable")
    ranked = below[order]
    equal = ranked[1:] == ranked[:-1]
    tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    # Only these need their ids: to sort millions of texts takes much longer than to sort their scores.
    rows = order[tied]
    order[tied] = rows[np.lexsort((np.asarray(ids)[rows], below[rows]))]
    return order

"""The order of a ranked list, the same at every call."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["rank_order"]

Array = np.ndarray[Any, Any]


def rank_order(scores: Any, ids: Any) -> Array:
    """Return the row numbers from the best score to the worst; equal scores by id, ascending."""
    return np.lexsort((np.asarray(ids), -np.asarray(scores, dtype=np.float64)))

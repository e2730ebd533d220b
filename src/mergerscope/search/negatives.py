"""Among whom held-out references are searched; knows no ranker, so that it costs nothing to ask."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["recall_depth", "validation_negatives"]

Array = np.ndarray[Any, Any]

FEW_JUDGED = 50
"""With fewer judged galaxies in the pool, a validation takes the unjudged ones for negatives as well."""


def validation_negatives(pool: Array, judged: Array) -> Array:
    """Return those galaxies of a pool among which held-out references are searched: the judged ones.

    A galaxy without a vote may be a merger. Where fewer than 50 are judged, all of the pool is taken all the same, for
    so few say next to nothing. Training, `evaluate` and `rank` all validate by this rule.

    Args:
        pool: row numbers of galaxies with the role `pool`.
        judged: (N,) bool over all rows, whether there is a vote.
    """
    known = pool[judged[pool]]
    return known if len(known) >= FEW_JUDGED else pool


def recall_depth(k: int, pool: int) -> int:
    """Return the k of recall@k: as asked for, or half the number of pool galaxies where that is smaller."""
    return max(1, min(k, pool // 2))

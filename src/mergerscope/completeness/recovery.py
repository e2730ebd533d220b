"""How high each injected galaxy would stand in the ranked list, and the share that is found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bin", "bins_of", "depths", "ranks_among", "wilson"]

Array = NDArray[Any]

LOOKED_AT = (100, 500)
SHARE = 0.05
"""Further depth: that part of the candidates."""
BINS = 6
"""Of a curve, of equally many injected mergers each."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Injected mergers from ``low`` to ``high`` of some quantity, and how many of them are among the first ``k``."""

    low: float
    high: float
    median: float
    k: int
    number: int
    recovered: int

    @property
    def fraction(self) -> float:
        """Share recovered."""
        return self.recovered / self.number


def depths(candidates: int) -> list[int]:
    """Return the depths k at which recovery is counted, ascending, none beyond the list."""
    wanted = {*LOOKED_AT, max(1, round(SHARE * candidates))}
    return sorted({min(k, candidates) for k in wanted})


def ranks_among(scores: Array, candidates: Array) -> Array:
    """Return (n,) the rank that each score would have if it alone joined the ``candidates`` (m,) scores.

    1 where none of them scores higher; equal scores do not push it down.
    """
    ordered = np.sort(candidates)
    return np.asarray(1 + len(ordered) - np.searchsorted(ordered, scores, side="right"))


def wilson(recovered: int, number: int, confidence: float) -> tuple[float, float]:
    """Return the interval of a binomial share (Wilson 1927, JASA 22, 209, equation 5): low and high, 0 to 1."""
    if number == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = recovered / number
    middle = share + z * z / (2 * number)
    half = z * math.sqrt(share * (1 - share) / number + z * z / (4 * number * number))
    whole = 1 + z * z / number
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def bins_of(values: Array, ranks: Array, ks: Sequence[int]) -> list[Bin]:
    """Cut injected mergers into `BINS` of equally many by a quantity, fewer where values repeat.

    Args:
        values: (n,) of the quantity.
        ranks: (n,) from `ranks_among`.
        ks: depths.

    Returns:
        A bin for each depth and each range with a merger in it; ranges ascend, the last one holds its upper edge.
    """
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)))
    if len(edges) == 1:
        edges = np.repeat(edges, 2)
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    found = []
    for k in ks:
        for number in range(len(edges) - 1):
            inside = place == number
            if inside.any():
                found.append(Bin(
                    float(edges[number]), float(edges[number + 1]), float(np.median(values[inside])), int(k),
                    int(inside.sum()), int((ranks[inside] <= k).sum()),
                ))  # fmt: skip
    return found

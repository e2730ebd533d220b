"""Which vectors of a file can be used, and why the others cannot."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mergerscope.errors import ContractError
from mergerscope.importing.batches import Batch
from mergerscope.progress import Advance
from mergerscope.survey.fields import shown
from mergerscope.survey.records import Refusal
from mergerscope.survey.refusals import check_share

__all__ = ["Checked", "Rows", "check"]

Array = np.ndarray[Any, Any]

STAGE = "import"

LARGEST = 2.0**9
"""Vectors are scaled by a power of two until their largest number lies from here to twice that: float16 then keeps 11
bits of every number down to a millionth of it. Cosines know no scale."""


class Rows:
    """Where each galaxy of the survey has its row.

    Attributes:
        ids: (N,) in the order of the shards.
    """

    def __init__(self, ids: Array) -> None:
        self.ids = ids
        self._order = np.argsort(ids, kind="stable")
        self._sorted = ids[self._order]

    def of(self, ids: Array) -> Array:
        """Return the row of each id, -1 where the survey has no such galaxy."""
        place = np.searchsorted(self._sorted, ids).clip(max=len(self._sorted) - 1)
        return np.where(self._sorted[place] == ids, self._order[place], -1)


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What a first pass over the file found.

    Attributes:
        good: (N,) bool, which galaxies of the survey have one usable vector.
        refused: rows of the file that cannot be used, one by one.
        left_out: rows of galaxies that the survey has not, where those are to be left out.
        dim: numbers of a vector.
        scale: power of two by which they are multiplied.
    """

    good: Array
    refused: list[Refusal]
    left_out: int
    dim: int
    scale: float


def check(
    parts: Iterable[Batch], total: int, rows: Rows, source: str, subset: bool, limit: float, advance: Advance
) -> Checked:
    """Look at every row once.

    A row is refused (``empty-id``, ``unknown-id``, ``vector-length``, ``not-finite``), and so are all rows of an id
    that stands in several (``duplicate-id``): which of them is right is unknown.

    Args:
        parts: of the file.
        total: its rows.
        rows: of the survey.
        source: the file's name.
        subset: whether unknown ids are left out and only counted.
        limit: largest share of the file that may be refused, `shard.max_refused`.
        advance: told the number of rows done.

    Raises:
        TooManyRefusedError: more was.
        ContractError: no vector can be used.
    """
    seen = np.zeros(len(rows.ids), np.uint8)
    usable = np.zeros(len(rows.ids), bool)
    refused: list[Refusal] = []
    left_out, dim, largest = 0, 0, 0.0
    for part in parts:
        dim = dim or part.vectors.shape[1]
        place = rows.of(part.ids)
        known = place >= 0
        finite = np.isfinite(part.vectors).all(axis=1) if dim else np.zeros(len(place), bool)
        good = known & finite & (part.lengths == dim)
        np.add.at(seen, place[known & (seen[place] < 2)], 1)
        usable[place[good]] = True
        if good.any():
            largest = max(largest, float(np.abs(part.vectors[good]).max()))
        for number in np.flatnonzero(~good).tolist():
            if subset and not known[number] and part.ids[number]:
                left_out += 1
            else:
                refused.append(_refusal(part, number, bool(known[number]), dim, source))
        # At once, and not at the end: a file of another survey would be refused row by row, millions of times.
        check_share(refused, total, limit)
        advance(len(place))
    twice = np.flatnonzero(seen > 1)
    refused += [Refusal(str(rows.ids[row]), source, STAGE, "duplicate-id", "the id stands in several rows")
                for row in twice.tolist()]  # fmt: skip
    check_share(refused, total, limit)
    usable[twice] = False
    if not usable.any():
        raise ContractError(f"{source} has no vector of a galaxy of the survey: {total} rows, {left_out} of them of "
                            f"unknown ids. The survey's ids are like {rows.ids[0]}: is --id-column right?")
    scale = 2.0 ** (math.log2(LARGEST) - math.floor(math.log2(largest))) if largest > 0 else 1.0
    return Checked(usable, refused, left_out, dim, scale)


def _refusal(part: Batch, number: int, known: bool, dim: int, source: str) -> Refusal:
    name, length = str(part.ids[number]), int(part.lengths[number])
    if not name:
        reason, detail = "empty-id", "the row has no id"
    elif not known:
        reason, detail = "unknown-id", f"{shown(name)} is no galaxy in the shards; --subset leaves such rows out"
    elif length != dim or not dim:
        reason, detail = "vector-length", f"{length} numbers, where the first vector has {dim}"
    else:
        bad = int((~np.isfinite(part.vectors[number])).sum())
        reason, detail = "not-finite", f"{bad} of {dim} are no finite numbers"
    return Refusal(name, f"{source}:{part.first + number + 1}", STAGE, reason, detail)

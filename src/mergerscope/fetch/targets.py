"""Which galaxies to fetch: the rows of a table with ids and positions, each judged by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from pathlib import Path

from mergerscope.errors import TableError
from mergerscope.survey.fields import FieldError, check_id
from mergerscope.tables.places import Placed, Places, one_column, shown_columns
from mergerscope.tables.table import open_table

__all__ = ["ADDED", "Bad", "Target", "Targets"]

ID = ("id",)
"""Name of the column, in any case of letters."""

ADDED = ("reason", "detail")
"""What a list of failures has beside the columns of the table that it comes from."""

MADE_ANEW = ("filename", "ra_deg", "dec_deg", *ADDED)
"""Columns that are ours: so a list of failures, or a fetched catalogue, may be given again."""


@dataclass(frozen=True, slots=True)
class Target:
    """A galaxy to fetch."""

    id: str
    ra_deg: float
    dec_deg: float
    more: list[str]
    """Cells of the columns that are carried over."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that cannot be used."""

    id: str
    ra: str
    dec: str
    more: list[str]
    reason: str
    detail: str


class Targets:
    """The rows of one table; only the ids are in memory all at once, where the format allows."""

    def __init__(self, path: Path) -> None:
        """Open the table and look for its columns.

        Raises:
            TableError: unreadable, or without an id or a position.
        """
        self._table = open_table(path)
        self._columns = self._table.columns
        name = one_column(self._table, ID)
        if name is None:
            raise TableError(f"{path} has no column 'id'; it has: {shown_columns(self._columns)}. Give the "
                             "galaxies' names in a column called id.")  # fmt: skip
        self._places = Places(self._table)
        self._id = self._columns.index(name)
        taken = {name, self._places.longitude.name, self._places.latitude.name}
        ours = {column for column in self._columns if column.lower() in MADE_ANEW}
        self._more = [i for i, column in enumerate(self._columns) if column not in taken | ours]
        self.more_columns = [self._columns[i] for i in self._more]
        self.ids, self._repeated, self.count = self._count()

    def rows(self) -> Iterator[Target | Bad]:
        """Yield the rows in file order. An id in several rows refuses all of them: which is right is not known.

        Raises:
            TableError: the table cannot be read to its end.
        """
        for placed in self._places.rows():
            row = placed.row
            if len(row.cells) != len(self._columns):
                assert placed.problem is not None
                blank = [""] * len(self._more)
                yield Bad("", "", "", blank, placed.problem.reason, f"{row.source}: {placed.problem.detail}")
                continue
            identity, more = row.cells[self._id], [row.cells[i] for i in self._more]
            try:
                check_id(identity)
                if identity in self._repeated:
                    raise FieldError("duplicate-id", "stands in more than one row; none is fetched")
                if placed.problem is not None:
                    raise placed.problem
                if isnan(placed.ra_deg):
                    raise FieldError("no-position", "right ascension or declination is blank")
            except FieldError as error:
                yield Bad(identity, *self._as_given(placed), more, error.reason, f"{row.source}: {error.detail}")
            else:
                yield Target(identity, placed.ra_deg, placed.dec_deg, more)

    def _as_given(self, placed: Placed) -> tuple[str, str]:
        """Return the position for the list of failures, whose columns are in ICRS degrees whatever the table has."""
        if not isnan(placed.ra_deg):
            return repr(placed.ra_deg), repr(placed.dec_deg)
        return self._places.as_given(placed.row)

    def _count(self) -> tuple[set[str], set[str], int]:
        seen: set[str] = set()
        repeated: set[str] = set()
        count = 0
        for row in self._table.rows([self._columns[self._id]]):
            count += 1
            if len(row.cells) == len(self._columns):
                identity = row.cells[self._id]
                (repeated if identity in seen else seen).add(identity)
        return seen, repeated, count

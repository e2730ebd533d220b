"""Which galaxies to fetch: the rows of a table with ids and positions, each judged by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mergerscope.errors import SurveyError
from mergerscope.fetch.tables import AstropyTable, open_table
from mergerscope.survey.fields import FieldError, check_id, parse_degrees

__all__ = ["ADDED", "Bad", "Target", "Targets"]

ID = ("id",)
RA = ("ra_deg", "ra")
DEC = ("dec_deg", "dec")
"""Names of the columns, in any case of letters; the first that is there is taken."""

ADDED = ("reason", "detail")
"""What a list of failures has beside the columns of the table that it comes from."""

MADE_ANEW = ("filename", *ADDED)
"""Columns that are ours: so a list of failures, or a fetched catalogue, may be given again."""

DEGREES = ("deg", "degree", "degrees")


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
    """The rows of one table; only a few are in memory at a time, besides the ids."""

    def __init__(self, path: Path) -> None:
        """Open the table and look for its columns.

        Raises:
            SurveyError: unreadable, or without an id or a position.
        """
        self._table = open_table(path)
        self._columns = self._table.columns
        self._id, self._ra, self._dec = (self._find(names) for names in (ID, RA, DEC))
        self._check_units()
        taken = {self._id, self._ra, self._dec}
        ours = {column for column in self._columns if column.lower() in MADE_ANEW}
        self._more = [i for i, column in enumerate(self._columns) if i not in taken and column not in ours]
        self.more_columns = [self._columns[i] for i in self._more]
        self.ids, self._repeated, self.count = self._count()

    def rows(self) -> Iterator[Target | Bad]:
        """Yield the rows in file order. An id in several rows refuses all of them: which is right is not known."""
        for row in self._table.rows():
            if len(row.cells) != len(self._columns):
                text = f"{row.source}: {len(row.cells)} fields where the header has {len(self._columns)}"
                yield Bad("", "", "", [""] * len(self._more), "field-count", text)
                continue
            identity, ra, dec = (row.cells[i] for i in (self._id, self._ra, self._dec))
            more = [row.cells[i] for i in self._more]
            try:
                check_id(identity)
                if identity in self._repeated:
                    raise FieldError("duplicate-id", "stands in more than one row; none is fetched")
                ra_deg = parse_degrees(ra, self._columns[self._ra], 0, 360)
                dec_deg = parse_degrees(dec, self._columns[self._dec], -90, 90)
                if ra_deg is None or dec_deg is None:
                    raise FieldError("no-position", "right ascension or declination is blank")
            except FieldError as error:
                yield Bad(identity, ra, dec, more, error.reason, f"{row.source}: {error.detail}")
            else:
                yield Target(identity, ra_deg, dec_deg, more)

    def _find(self, names: tuple[str, ...]) -> int:
        lower = [column.lower() for column in self._columns]
        for name in names:
            if lower.count(name) > 1:
                raise SurveyError(f"{self._table.path} has several columns {name!r}, told apart by case alone. Rename.")
            if name in lower:
                return lower.index(name)
        raise SurveyError(f"{self._table.path} has no column {' or '.join(map(repr, names))}; it has: "
                          f"{', '.join(self._columns)}. Needed are id, ra and dec, in degrees.")  # fmt: skip

    def _check_units(self) -> None:
        if not isinstance(self._table, AstropyTable):
            return
        for column in (self._columns[self._ra], self._columns[self._dec]):
            unit = self._table.unit(column)
            if unit is not None and unit not in DEGREES:
                raise SurveyError(f"{self._table.path}: column {column!r} is in {unit}; give decimal degrees.")

    def _count(self) -> tuple[set[str], set[str], int]:
        seen: set[str] = set()
        repeated: set[str] = set()
        count = 0
        for row in self._table.rows():
            count += 1
            if len(row.cells) == len(self._columns):
                identity = row.cells[self._id]
                (repeated if identity in seen else seen).add(identity)
        return seen, repeated, count

"""A table of somebody else as rows of text, with what its format says of the columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Protocol

from mergerscope.survey.rows import Row
from mergerscope.tables.frames import Frame
from mergerscope.tables.kinds import kind_of
from mergerscope.tables.plain import PlainTable
from mergerscope.tables.with_units import AstropyTable

__all__ = ["OutsideTable", "open_table"]


class OutsideTable(Protocol):
    """A table that can be gone through more than once."""

    path: Path
    columns: list[str]

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row]:
        """Yield the rows in file order, every cell as text, absent ones blank.

        Args:
            wanted: columns; the cells of others may be left blank. None wants all.

        Raises:
            TableError: the file cannot be read to its end.
        """

    def unit(self, column: str) -> str:
        """Return the unit of a column, "" where the file gives none."""

    def ucd(self, column: str) -> str:
        """Return what a column is, as a Unified Content Descriptor in lower case, "" where the file does not say."""

    def frame(self, column: str) -> Frame | None:
        """Return the system of coordinates that the file declares for a column, None where it does not.

        Raises:
            ValueError: no position in it can be changed to ICRS.
        """


def open_table(path: Path) -> OutsideTable:
    """Open FITS, VOTable, ECSV, Parquet or CSV, told apart by their first bytes.

    All but Parquet may be packed with gzip, a CSV also with zip. Cells of a CSV may also be separated by tabs,
    semicolons or bars; lines before its header that begin with # are remarks. Of several tables in a file the first is
    taken. CSV and Parquet are read a few rows at a time, the others as a whole.

    Raises:
        TableError: it is not there, of no such format, or damaged.
    """
    kind = kind_of(path)
    return PlainTable(path, kind) if kind in ("csv", "zip", "parquet") else AstropyTable(path, kind)

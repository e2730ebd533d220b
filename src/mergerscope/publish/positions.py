"""Somebody's list of places: what its objects are called and where they are, in ICRS degrees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mergerscope.errors import TableError
from mergerscope.tables.places import Placed, Places, one_column
from mergerscope.tables.table import OutsideTable, open_table

__all__ = ["OutsideList", "read_positions"]

Array = np.ndarray[Any, Any]

ID_NAMES = ("id", "name", "objid", "object_id", "objname", "object", "source_id", "designation", "main_id", "iauname")


@dataclass(frozen=True, slots=True)
class OutsideList:
    """Somebody's list of places.

    Attributes:
        label: what the file is called.
        names: (N,) their own names of the objects, "" where they have none.
        ra_deg: (N,) in 0...360, NaN where the cell is blank.
        dec_deg: (N,) likewise.
    """

    label: str
    names: Array
    ra_deg: Array
    dec_deg: Array

    def __len__(self) -> int:
        return len(self.names)

    @property
    def placed(self) -> Array:
        """Row numbers of those that have a position."""
        return np.flatnonzero(np.isfinite(self.ra_deg) & np.isfinite(self.dec_deg))


def read_positions(path: Path) -> OutsideList:
    """Read the positions of a table, found as `Places` says, and what its objects are called.

    Raises:
        TableError: the table cannot be read, has no rows or no positions, or one of them is impossible.
    """
    table = open_table(path)
    places = Places(table)
    name = _name_column(table)
    at = None if name is None else table.columns.index(name)
    names, ra, dec = [], [], []
    bad: list[Placed] = []
    for placed in places.rows([] if name is None else [name]):
        if placed.problem is not None:
            bad.append(placed)
        names.append("" if at is None or placed.problem is not None else _printable(placed.row.cells[at]))
        ra.append(placed.ra_deg)
        dec.append(placed.dec_deg)
    if bad:
        raise TableError(_told(path, bad))
    if not names:
        raise TableError(f"{path} has no rows.")
    return OutsideList(path.name, np.array(names, np.str_), np.array(ra), np.array(dec))


def _told(path: Path, bad: list[Placed]) -> str:
    first = bad[0]
    assert first.problem is not None
    more = f", and {len(bad) - 1} more like it" if len(bad) > 1 else ""
    return (
        f"{path.parent / first.row.source}: {first.problem.detail}{more}. Is it another column, or in another unit? "
        "Mend the table, or take the row out."
    )


def _name_column(table: OutsideTable) -> str | None:
    main = [name for name in table.columns if table.ucd(name) == "meta.id;meta.main"]
    return main[0] if main else one_column(table, ID_NAMES)


def _printable(text: str) -> str:
    # XML has no place for control characters
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()

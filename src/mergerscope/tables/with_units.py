"""FITS tables, VOTables and ECSV of somebody else, by astropy: they say units, UCDs and systems of coordinates."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.io import fits, votable
from astropy.io.votable.tree import CooSys
from astropy.table import Column, Table

from mergerscope.errors import TableError
from mergerscope.survey.rows import Row, as_text
from mergerscope.tables.frames import ICRS, Frame, declared, frame_of, of_fits_header
from mergerscope.tables.kinds import FORMATS, GIVE

__all__ = ["AstropyTable"]

STEP = 4096
SHOWN = 200


FrameOf = Callable[[str], Frame | None]


class AstropyTable:
    """The first table of a file, in memory."""

    def __init__(self, path: Path, kind: str) -> None:
        """Read the table.

        Args:
            path: of the file.
            kind: fits, votable or ecsv.

        Raises:
            TableError: it cannot be read.
        """
        self.path = path
        try:
            with warnings.catch_warnings():
                # Tables of others bend their standards in many harmless ways, such as units that nobody has registered.
                warnings.simplefilter("ignore")
                self._table, self._frame = READERS[kind](path)
                self._ucds = {name: _ucd(self._table, number) for number, name in enumerate(self._table.colnames)}
                self._placed = _spread(self._table)
        # astropy raises many kinds of error at damaged files, and does not list them.
        except Exception as error:
            told = " ".join(str(error).split())[:SHOWN] or type(error).__name__
            raise TableError(f"{path} begins like {FORMATS[kind]} and cannot be read as one: {told}. It is damaged, or "
                             f"not what it seems. {GIVE}") from None  # fmt: skip
        self.columns = list(self._table.colnames)

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row]:
        """Yield the rows, a masked cell as blank."""
        for start in range(0, len(self._table), STEP):
            part = self._table[start : start + STEP]
            blank = [""] * len(part)
            columns = [_as_text(part[name]) if wanted is None or name in wanted else blank for name in self.columns]
            for number, cells in enumerate(zip(*columns, strict=True), start + 1):
                yield Row(f"{self.path.name}:{number}", list(cells))

    def unit(self, column: str) -> str:
        """Return the unit of a column."""
        unit = self._table[column].info.unit
        return "" if unit is None else str(unit)

    def ucd(self, column: str) -> str:
        """Return the UCD of a column."""
        axis = self._placed.get(column)
        return f"pos.eq.{axis};meta.main" if axis else self._ucds[column]

    def frame(self, column: str) -> Frame | None:
        """Return the frame that COOSYS or RADESYS gives."""
        return ICRS if column in self._placed else self._frame(column)


def _fits(path: Path) -> tuple[Table, FrameOf]:
    table = Table.read(path, format="fits")
    numbers = {name: number for number, name in enumerate(table.colnames, start=1)}
    headers: list[Mapping[str, Any]] = [table.meta, fits.getheader(path, 0)]

    def frame(column: str) -> Frame | None:
        found = (of_fits_header(header, numbers[column]) for header in headers)
        return next((one for one in found if one is not None), None)

    return table, frame


def _votable(path: Path) -> tuple[Table, FrameOf]:
    document = votable.parse(path, verify="ignore")
    first = document.get_first_table()
    table = first.to_table(use_names_over_ids=True)
    systems: list[CooSys] = list(document.iter_coosys())
    by_id = {system.ID: system for system in systems}
    named = {name: by_id.get(field.ref) for name, field in zip(table.colnames, first.fields, strict=True) if field.ref}

    def frame(column: str) -> Frame | None:
        own = named.get(column)
        if own is not None:
            return _of_coosys(own)
        # what no column refers to is meant for all of them
        found = set() if any(named.values()) else {_of_coosys(system) for system in systems}
        if len(found) > 1:
            raise ValueError("one of several systems of coordinates, and the column does not refer to its own")
        return next(iter(found), None)

    return table, frame


def _ecsv(path: Path) -> tuple[Table, FrameOf]:
    return Table.read(path, format="ascii.ecsv"), lambda column: None


def _of_coosys(system: CooSys) -> Frame | None:
    return frame_of(system.system, system.equinox or "", system.epoch or "") if declared(system.system) else None


def _ucd(table: Table, number: int) -> str:
    about = table.columns[number].info.meta or {}
    # astropy leaves the TUCD cards of a FITS table among its other cards
    return str(about.get("ucd") or table.meta.get(f"TUCD{number + 1}") or "").strip().lower()


def _spread(table: Table) -> dict[str, str]:
    """Put two columns of ICRS degrees in place of each column of astropy's coordinates; return the axes of those."""
    made = {}
    for name in list(table.colnames):
        column = table[name]
        if not hasattr(column, "icrs"):
            continue
        place = column.icrs
        at = table.colnames.index(name)
        table.remove_column(name)
        for axis, angle in (("dec", place.dec), ("ra", place.ra)):
            table.add_column(Column(np.asarray(angle.deg), f"{name}.{axis}", unit="deg"), index=at)
            made[f"{name}.{axis}"] = axis
    return made


def _as_text(column: Any) -> list[str]:
    if column.ndim > 1:
        return [f"<{column.dtype} {column.shape[1:]}>"] * len(column)
    if not isinstance(column, Column):  # astropy's own kinds, such as times
        return [str(value) for value in column]
    masked = np.ma.getmaskarray(column) if np.ma.isMaskedArray(column) else np.zeros(len(column), bool)
    values = np.asarray(column)
    if values.dtype.kind == "b":
        texts = as_text(pa.array(values))
    else:
        texts = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]
    return ["" if hidden else text.strip() for text, hidden in zip(texts, masked, strict=True)]


READERS: dict[str, Callable[[Path], tuple[Table, FrameOf]]] = {"fits": _fits, "votable": _votable, "ecsv": _ecsv}

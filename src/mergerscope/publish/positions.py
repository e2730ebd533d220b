"""Positions in somebody's table: which columns they are, and what they say in ICRS degrees."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle
from astropy.table import Table

from mergerscope.errors import TableError
from mergerscope.publish.outside_table import column_ucd, read_table

__all__ = ["OutsideList", "read_positions"]

Array = np.ndarray[Any, Any]

RA_NAMES = (
    "ra_deg", "ra", "_ra", "raj2000", "_raj2000", "ra_icrs", "_ra_icrs", "ra_j2000", "ra2000", "radeg", "ra_d",
    "alpha_j2000", "right_ascension", "target_ra", "ramean", "alpha", "rightascension", "s_ra",
)  # fmt: skip
DEC_NAMES = (
    "dec_deg", "dec", "de", "_dec", "_de", "dej2000", "decj2000", "_dej2000", "_decj2000", "de_icrs", "dec_icrs",
    "_de_icrs", "_dec_icrs", "dec_j2000", "dec2000", "dedeg", "decdeg", "dec_d", "delta_j2000", "declination",
    "target_dec", "decmean", "delta", "s_dec",
)  # fmt: skip
ID_NAMES = ("id", "name", "objid", "object_id", "objname", "object", "source_id", "designation", "main_id", "iauname")
BLANK = ("", "nan", "null", "none", "--", "n/a")
SEXAGESIMAL = re.compile(r"[+-]?\d+(\s*[hd:]\s*|\s+)\d+")


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
    """Read the positions of a table, and what its objects are called.

    Right ascension and declination are the columns whose UCDs are ``pos.eq.ra;meta.main`` and ``pos.eq.dec;meta.main``,
    else those that have names such as ``ra``, ``RAJ2000`` or ``_RA``, else the only ones with a UCD ``pos.eq.ra`` and
    ``pos.eq.dec``. Numbers are degrees unless the column's unit is another; texts may be sexagesimal, right ascension
    then in hours. J2000 is taken for ICRS: they differ by some .02 arcsec.

    Raises:
        TableError: the table cannot be read, has no positions, or one of them is impossible.
    """
    table = read_table(path)
    ra_name, dec_name = _columns(table, path)
    ra = _degrees(table, ra_name, path, right_ascension=True)
    dec = _degrees(table, dec_name, path, right_ascension=False)
    # Half a position is none.
    absent = ~(np.isfinite(ra) & np.isfinite(dec))
    _check_range(ra, ra_name, path, -180, 360)
    _check_range(dec, dec_name, path, -90, 90)
    return OutsideList(
        path.name, _names(table), np.where(absent, np.nan, np.mod(ra, 360)), np.where(absent, np.nan, dec)
    )


def _columns(table: Table, path: Path) -> tuple[str, str]:
    ucds = {name: column_ucd(table, name) for name in table.colnames}
    found = []
    for axis, names in (("ra", RA_NAMES), ("dec", DEC_NAMES)):
        # the second is UCD1, which older tables of VizieR have
        main = [name for name, ucd in ucds.items() if ucd in (f"pos.eq.{axis};meta.main", f"pos_eq_{axis}_main")]
        lower = {name.lower(): name for name in reversed(table.colnames)}
        named = [lower[name] for name in names if name in lower]
        meant = [name for name, ucd in ucds.items() if ucd.split(";")[0] == f"pos.eq.{axis}"]
        found.append(main[:1] or named[:1] or (meant if len(meant) == 1 else []))
    if not all(found):
        lacking = " and ".join(
            word for word, got in zip(("right ascension", "declination"), found, strict=True) if not got
        )
        shown = ", ".join(table.colnames[:20]) + (", ..." if len(table.colnames) > 20 else "")
        raise TableError(
            f"{path} has no column of {lacking}; it has: {shown}. Call them ra and dec (ICRS degrees, or sexagesimal), "
            "or give them the UCDs pos.eq.ra;meta.main and pos.eq.dec;meta.main."
        )
    return found[0][0], found[1][0]


def _degrees(table: Table, name: str, path: Path, *, right_ascension: bool) -> Array:
    column = table[name]
    absent, values = np.ma.getmaskarray(column), np.ma.getdata(column)
    if values.ndim != 1:
        raise TableError(f"{path}: column {name!r} holds several numbers a row.")
    if values.dtype.kind in "iuf":
        return np.where(absent, np.nan, values.astype(np.float64) * _unit(column, name, path))
    texts = [_text(value) for value in values]
    return np.array([
        np.nan if blank or text.lower() in BLANK else _parse(text, name, path, row, right_ascension)
        for row, (text, blank) in enumerate(zip(texts, absent, strict=True), start=1)
    ], dtype=np.float64)  # fmt: skip


def _unit(column: Any, name: str, path: Path) -> float:
    """Return the degrees of one unit of a column."""
    unit = column.unit
    if unit is None or str(unit).strip() == "":
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            known = u.Unit(str(unit))
            # an hour of right ascension is written as one of time
            return float((u.hourangle if known == u.hour else known).to(u.deg))
        except (ValueError, TypeError, u.UnitConversionError):
            raise TableError(f"{path}: column {name!r} is in {str(unit)!r}, which is no angle.") from None


def _parse(text: str, name: str, path: Path, row: int, right_ascension: bool) -> float:
    try:
        if not SEXAGESIMAL.match(text):
            return float(text)
        hours = right_ascension and "d" not in text
        return float(Angle(text, unit=u.hourangle if hours else u.deg).deg)
    except (ValueError, TypeError):
        raise TableError(
            f"{path}: row {row}: {name} is {text[:40]!a}, which is no angle. Give decimal degrees, or sexagesimal."
        ) from None


def _check_range(values: Array, name: str, path: Path, low: float, high: float) -> None:
    wrong = np.flatnonzero((values < low) | (values > high) | np.isinf(values))
    if len(wrong):
        more = f", and {len(wrong) - 1} more rows are" if len(wrong) > 1 else ""
        raise TableError(
            f"{path}: row {wrong[0] + 1}: {name} is {values[wrong[0]]:g} degrees, outside of {low:g}...{high:g}{more}. "
            "Is it another column, or in another unit?"
        )


def _names(table: Table) -> Array:
    main = [name for name in table.colnames if column_ucd(table, name) == "meta.id;meta.main"]
    lower = {name.lower(): name for name in reversed(table.colnames)}
    chosen = main[:1] or [lower[name] for name in ID_NAMES if name in lower][:1]
    if not chosen:
        return np.full(len(table), "", np.str_)
    column: Sequence[Any] = table[chosen[0]].tolist()
    return np.array(["" if value is None else _text(value) for value in column], np.str_)


def _text(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    # XML has no place for control characters
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()

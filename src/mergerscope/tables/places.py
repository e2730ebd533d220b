"""The positions in a table of somebody else: which columns they are, and what they say in ICRS degrees."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite, isnan, nan

import numpy as np

from mergerscope.errors import TableError
from mergerscope.survey.fields import FieldError, parse_number
from mergerscope.survey.rows import Row
from mergerscope.tables.angles import AngleColumn, AngleUnit, is_in_parts, unit_of
from mergerscope.tables.frames import B1950, GALACTIC, ICRS, Frame
from mergerscope.tables.table import OutsideTable

__all__ = ["Placed", "Places", "one_column", "shown_columns"]

RA_NAMES = (
    "ra_deg", "ra", "_ra", "raj2000", "_raj2000", "ra_icrs", "_ra_icrs", "ra_j2000", "ra2000", "radeg", "ra_d",
    "alpha_j2000", "right_ascension", "target_ra", "ramean", "alpha", "rightascension", "s_ra", "rab1950", "_rab1950",
    "ra_b1950", "ra1950", "alpha_b1950",
)  # fmt: skip
DEC_NAMES = (
    "dec_deg", "dec", "de", "_dec", "_de", "dej2000", "decj2000", "_dej2000", "_decj2000", "de_icrs", "dec_icrs",
    "_de_icrs", "_dec_icrs", "dec_j2000", "dec2000", "dedeg", "decdeg", "dec_d", "delta_j2000", "declination",
    "target_dec", "decmean", "delta", "s_dec", "deb1950", "_deb1950", "decb1950", "dec_b1950", "dec1950", "delta_b1950",
)  # fmt: skip
LON_NAMES = ("glon", "_glon", "gal_lon", "galactic_longitude")
LAT_NAMES = ("glat", "_glat", "gal_lat", "galactic_latitude")

NAMED_FRAMES = {"icrs": ICRS, "2000": ICRS, "1950": B1950}
"""By what stands in a column's name; J2000 is taken for ICRS, from which it differs by some .02 arcsec."""

STEP = 4096
COLUMNS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Placed:
    """One row and where on the sky it is.

    Attributes:
        row: as it stands in the table.
        ra_deg: right ascension, ICRS, in 0...360; NaN where the row has no position.
        dec_deg: declination likewise.
        problem: why the position cannot be used; None where it can, and where it is blank.
    """

    row: Row
    ra_deg: float
    dec_deg: float
    problem: FieldError | None = None


class Places:
    """The positions of one table.

    Right ascension and declination are the columns whose UCDs are ``pos.eq.ra;meta.main`` and ``pos.eq.dec;meta.main``,
    else those that have names such as ``ra``, ``RAJ2000`` or ``_RA``, else the only ones with a UCD ``pos.eq.ra`` and
    ``pos.eq.dec``. Where there are none, galactic coordinates are looked for in the same way. Numbers are degrees
    unless the column's unit is another; texts may be sexagesimal, right ascension then in hours unless the unit says
    otherwise.

    They are ICRS, unless the file declares another system (COOSYS of a VOTable, RADESYS and EQUINOX of FITS) or the
    columns' names do (``RAB1950``): then they are changed to ICRS by astropy, without proper motions.
    """

    def __init__(self, table: OutsideTable) -> None:
        """Find the columns.

        Raises:
            TableError: there are none, or they are in no unit of angle or no system that is understood.
        """
        self._table = table
        self.longitude, self.latitude = self._find_columns()
        self._at = table.columns.index(self.longitude.name), table.columns.index(self.latitude.name)
        self.frame = self._find_frame()

    def as_given(self, row: Row) -> tuple[str, str]:
        """Return the cells of the position where they mean the same in a table that says nothing of them, else blanks.

        Args:
            row: with as many cells as the table has columns.
        """
        longitude, latitude = (row.cells[i] for i in self._at)
        usual = self.longitude.is_usual(longitude) and self.latitude.is_usual(latitude)
        return (longitude, latitude) if usual and self.frame == ICRS else ("", "")

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Placed]:
        """Yield the rows in file order; half a position is none.

        Args:
            wanted: columns beside the position whose cells are needed; None wants all.

        Raises:
            TableError: the file cannot be read to its end.
        """
        names = None if wanted is None else {*wanted, self.longitude.name, self.latitude.name}
        rows = self._table.rows(names)
        while chunk := list(islice(rows, STEP)):
            read = [self._read(row) for row in chunk]
            angles = np.array([(one.ra_deg, one.dec_deg) for one in read])
            ra, dec = self.frame.to_icrs(angles[:, 0], angles[:, 1])
            for one, ra_deg, dec_deg in zip(read, ra.tolist(), dec.tolist(), strict=True):
                yield Placed(one.row, ra_deg, dec_deg, one.problem)

    def _read(self, row: Row) -> Placed:
        width = len(self._table.columns)
        if len(row.cells) != width:
            told = f"{len(row.cells)} fields where the header has {width}"
            return Placed(row, nan, nan, FieldError("field-count", told))
        try:
            longitude = self.longitude.degrees(row.cells[self._at[0]])
            latitude = self.latitude.degrees(row.cells[self._at[1]])
        except FieldError as error:
            return Placed(row, nan, nan, error)
        whole = isfinite(longitude) and isfinite(latitude)
        return Placed(row, longitude, latitude) if whole else Placed(row, nan, nan)

    def _find_columns(self) -> tuple[AngleColumn, AngleColumn]:
        ra, dec = self._find("pos.eq.ra", RA_NAMES), self._find("pos.eq.dec", DEC_NAMES)
        if ra is not None and dec is not None:
            return self._column(ra, -180, 360, in_hours=True), self._column(dec, -90, 90)
        lon, lat = self._find("pos.galactic.lon", LON_NAMES), self._find("pos.galactic.lat", LAT_NAMES)
        if lon is not None and lat is not None:
            return self._column(lon, -180, 360), self._column(lat, -90, 90)
        lacking = [word for word, got in (("right ascension", ra), ("declination", dec)) if got is None]
        there = shown_columns(self._table.columns)
        raise TableError(
            f"{self._table.path} has no column of {' and '.join(lacking)}; it has: {there}. "
            "Call them ra and dec (ICRS degrees, or sexagesimal), or give them the UCDs pos.eq.ra;meta.main and "
            "pos.eq.dec;meta.main."
        )

    def _find(self, ucd: str, names: Sequence[str]) -> str | None:
        ucds = {name: self._table.ucd(name) for name in self._table.columns}
        # the second is UCD1, which older tables of VizieR have
        wanted = (f"{ucd};meta.main", f"{ucd.replace('.', '_')}_main")
        main = next((name for name, told in ucds.items() if told in wanted), None)
        named = one_column(self._table, names) if main is None else main
        meant = [name for name, told in ucds.items() if told.split(";")[0] == ucd]
        return named if named is not None else meant[0] if len(meant) == 1 else None

    def _column(self, name: str, low: float, high: float, *, in_hours: bool = False) -> AngleColumn:
        try:
            unit = unit_of(self._table.unit(name))
        except ValueError as error:
            # a sexagesimal text says itself what it is
            number = self._first_number(name)
            if number is not None:
                raise TableError(f"{self._table.path}: column {name!r}: {error}, and {number.source} has a number "
                                 "there. Give degrees, or another unit of angle.") from None  # fmt: skip
            unit = AngleUnit()
        return AngleColumn(name, low, high, in_hours, unit)

    def _first_number(self, name: str) -> Row | None:
        at = self._table.columns.index(name)
        for row in self._table.rows({name}):
            if len(row.cells) == len(self._table.columns) and not is_in_parts(row.cells[at]):
                value = parse_number(row.cells[at])
                if value is not None and not isnan(value):
                    return row
        return None

    def _find_frame(self) -> Frame:
        frames = {column.name: self._frame_of(column.name) for column in (self.longitude, self.latitude)}
        frame, other = frames.values()
        told = " and ".join(f"{name!r} in {one}" for name, one in frames.items())
        if frame != other:
            raise TableError(f"{self._table.path} has {told}: both must be in the same system of coordinates.")
        if frame.is_equatorial != self.longitude.in_hours:
            raise TableError(f"{self._table.path} declares {told}; by name or UCD they are right ascension and "
                             "declination. Correct one of the two.")  # fmt: skip
        return frame

    def _frame_of(self, name: str) -> Frame:
        if not self.longitude.in_hours:
            return GALACTIC
        in_name = next((frame for word, frame in NAMED_FRAMES.items() if word in name.lower()), None)
        try:
            declared = self._table.frame(name)
        except ValueError as error:
            if in_name is not None:
                return in_name
            raise TableError(f"{self._table.path}: the position in column {name!r} is in {error}. Give it in ICRS.") \
                from None  # fmt: skip
        if in_name is None:
            return declared or ICRS
        # the header may be that of the image which the places were taken from
        if declared is not None and (in_name == B1950) == declared.system.startswith("fk4"):
            return declared
        return in_name


def one_column(table: OutsideTable, names: Sequence[str]) -> str | None:
    """Return the column that has the first of some names, in any case of letters, or None where none has.

    Raises:
        TableError: several have it.
    """
    for name in names:
        found = [column for column in table.columns if column.lower() == name]
        if len(found) > 1:
            raise TableError(f"{table.path} has several columns {name!r}, told apart by case alone. Rename them.")
        if found:
            return found[0]
    return None


def shown_columns(columns: Sequence[str]) -> str:
    """Return the first columns for a message."""
    return ", ".join(columns[:COLUMNS_SHOWN]) + (", ..." if len(columns) > COLUMNS_SHOWN else "")

"""One angle as somebody's table has it."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from math import isnan, nan

from astropy import units as u
from astropy.coordinates import Angle

from mergerscope.survey.fields import BLANKS, FieldError, parse_number, shown

__all__ = ["AngleColumn", "AngleUnit", "is_in_parts", "unit_of"]

BLANK = BLANKS | {"--"}
SEXAGESIMAL = re.compile(r"[+-]?\d+(\s*[hd:]\s*|\s+)\d+")
IN_PARTS = re.compile(r"(hh?|dd?)[: ]mm?([: ]ss?(\.s+)?)?|[hd]ms")
"""How units say that a column is sexagesimal; the first letter says of what."""
DEGREES = frozenset({"", "deg", "degree", "degrees"})


@dataclass(frozen=True, slots=True)
class AngleUnit:
    """What a unit says of the cells.

    Attributes:
        degrees: of a bare 1.
        in_hours: whether sexagesimal texts are hours, minutes and seconds; None where the unit does not say.
    """

    degrees: float = 1.0
    in_hours: bool | None = None


@dataclass(frozen=True, slots=True)
class AngleColumn:
    """What the cells of a column mean.

    Attributes:
        name: of the column.
        low: smallest angle that can be, degrees.
        high: largest one.
        in_hours: whether sexagesimal texts are hours, minutes and seconds where the unit does not say.
        unit: of the cells.
    """

    name: str
    low: float
    high: float
    in_hours: bool = False
    unit: AngleUnit = AngleUnit()

    def is_usual(self, text: str) -> bool:
        """Tell whether a cell says the same where the column's unit is not known."""
        if is_in_parts(text):
            return self._hours() == self.in_hours
        return self.unit.degrees == 1 or text.strip().lower() in BLANK

    def degrees(self, text: str) -> float:
        """Return the angle, NaN for a blank.

        Raises:
            FieldError: ``position-not-a-number`` or ``position-out-of-range``.
        """
        text = text.strip()
        if text.lower() in BLANK:
            return nan
        in_parts = is_in_parts(text)
        value = self._sexagesimal(text) if in_parts else parse_number(text)
        if value is None or isnan(value):
            told = f"{self.name} is {shown(text)}, which is no angle; give decimal degrees, or sexagesimal"
            raise FieldError("position-not-a-number", told)
        if not in_parts:
            value *= self.unit.degrees
        if not self.low <= value <= self.high:
            told = f"{self.name} is {value:g} degrees, outside of {self.low:g}...{self.high:g}"
            raise FieldError("position-out-of-range", told)
        return value

    def _sexagesimal(self, text: str) -> float | None:
        try:
            return float(Angle(text, unit=u.hourangle if self._hours() and "d" not in text else u.deg).deg)
        except (ValueError, TypeError):
            return None

    def _hours(self) -> bool:
        return self.in_hours if self.unit.in_hours is None else self.unit.in_hours


def is_in_parts(text: str) -> bool:
    """Tell whether a cell is sexagesimal."""
    return SEXAGESIMAL.match(text.strip()) is not None


def unit_of(text: str) -> AngleUnit:
    """Return what the name of a unit says; "" is degrees, ``h:m:s`` and ``d:m:s`` are sexagesimal.

    Raises:
        ValueError: it is no unit of angle.
    """
    name = text.strip(" \"'")
    plain = name.lower()
    if plain in DEGREES:
        return AngleUnit(in_hours=False if plain else None)
    if IN_PARTS.fullmatch(plain):
        in_hours = plain.startswith("h")
        return AngleUnit(15.0 if in_hours else 1.0, in_hours)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units that nobody has registered
        for spelling in (name, plain):
            try:
                known = u.Unit(spelling)
                # an hour of right ascension is written as one of time
                degrees = float((u.hourangle if known == u.hour else known).to(u.deg))
            except (ValueError, TypeError, u.UnitConversionError):
                continue
            return AngleUnit(degrees, {15.0: True, 1.0: False}.get(degrees))
    raise ValueError(f"{text!r} is no unit of angle")

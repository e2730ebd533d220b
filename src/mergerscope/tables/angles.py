"""One angle as somebody's table has it."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from math import isnan, nan

from astropy import units as u
from astropy.coordinates import Angle

from mergerscope.survey.fields import BLANKS, FieldError, parse_number, shown

__all__ = ["AngleColumn", "degrees_of_unit"]

BLANK = BLANKS | {"--"}
SEXAGESIMAL = re.compile(r"[+-]?\d+(\s*[hd:]\s*|\s+)\d+")


@dataclass(frozen=True, slots=True)
class AngleColumn:
    """What the cells of a column mean.

    Attributes:
        name: of the column.
        low: smallest angle that can be, degrees.
        high: largest one.
        in_hours: whether sexagesimal texts are hours, minutes and seconds.
        factor: degrees of 1.
    """

    name: str
    low: float
    high: float
    in_hours: bool = False
    factor: float = 1.0

    def degrees(self, text: str) -> float:
        """Return the angle, NaN for a blank.

        Raises:
            FieldError: ``position-not-a-number`` or ``position-out-of-range``.
        """
        text = text.strip()
        if text.lower() in BLANK:
            return nan
        in_parts = SEXAGESIMAL.match(text) is not None
        value = self._sexagesimal(text) if in_parts else parse_number(text)
        if value is None or isnan(value):
            told = f"{self.name} is {shown(text)}, which is no angle; give decimal degrees, or sexagesimal"
            raise FieldError("position-not-a-number", told)
        if not in_parts:
            value *= self.factor
        if not self.low <= value <= self.high:
            told = f"{self.name} is {value:g} degrees, outside of {self.low:g}...{self.high:g}"
            raise FieldError("position-out-of-range", told)
        return value

    def _sexagesimal(self, text: str) -> float | None:
        try:
            return float(Angle(text, unit=u.hourangle if self.in_hours and "d" not in text else u.deg).deg)
        except (ValueError, TypeError):
            return None


def degrees_of_unit(unit: str) -> float:
    """Return the degrees of one unit of angle; "" is degrees.

    Raises:
        ValueError: it is none.
    """
    if not unit.strip():
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units that nobody has registered
        try:
            known = u.Unit(unit)
            # an hour of right ascension is written as one of time
            return float((u.hourangle if known == u.hour else known).to(u.deg))
        except (ValueError, TypeError, u.UnitConversionError):
            raise ValueError(f"{unit!r} is no unit of angle") from None

"""A radius on the sky as it is typed: a number and its unit."""

from __future__ import annotations

import re
from typing import Any

import click

__all__ = ["MAX_ARCSEC", "RadiusType", "parse_radius"]

UNITS = {
    "mas": 0.001, "arcsec": 1.0, "arcsecond": 1.0, "arcseconds": 1.0, "asec": 1.0, '"': 1.0, "''": 1.0,
    "arcmin": 60.0, "arcminute": 60.0, "arcminutes": 60.0, "amin": 60.0, "'": 60.0,
    "deg": 3600.0, "degree": 3600.0, "degrees": 3600.0,
}  # fmt: skip
WRITTEN = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S*)\s*")
MAX_ARCSEC = 600.0


def parse_radius(text: str) -> float:
    """Return a radius in arcsec.

    Raises:
        ValueError: there is no number, no unit, an unknown one, or the radius is none to match galaxies with.
    """
    written = WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError(f"{text!r} is no angle: give a number and a unit, such as 3arcsec")
    number, unit = float(written[1]), written[2]
    if not unit:
        raise ValueError(f"{text!r} has no unit: write {number:g}arcsec; mas, arcmin and deg are known too")
    if unit.lower() not in UNITS:
        raise ValueError(f"{unit!r} is no unit of angle: write arcsec, arcmin, deg or mas")
    radius = number * UNITS[unit.lower()]
    if not 0 < radius <= MAX_ARCSEC:
        raise ValueError(
            f"{text!r} is {radius:g} arcsec; a match lies within more than 0 and at most {MAX_ARCSEC:g} arcsec"
        )
    return radius


class RadiusType(click.ParamType[float]):
    """An angle with its unit, in arcsec."""

    name = "angle"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return arcsec."""
        if isinstance(value, float):
            return value
        try:
            return parse_radius(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)

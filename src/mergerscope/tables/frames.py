"""In which system of coordinates a table gives its positions, and what they are in ICRS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io.fits.card import Undefined

__all__ = ["B1950", "GALACTIC", "ICRS", "Frame", "declared", "frame_of", "of_fits_header"]

Array = np.ndarray[Any, Any]

SYSTEMS = {
    "icrs": "icrs", "fk5": "fk5", "eq_fk5": "fk5", "fk4": "fk4", "eq_fk4": "fk4", "fk4-no-e": "fk4noeterms",
    "galactic": "galactic",
}  # fmt: skip
"""astropy's name by the words of VOTable's COOSYS and of FITS, in lower case."""
UNDECLARED = frozenset({"", "unknown", "none"})
FIRST_FK5 = 1984.0
"""Where FITS names an equinox alone, one before this is FK4 (Calabretta & Greisen 2002, section 3.1)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A system of coordinates.

    Attributes:
        system: as astropy calls it.
        equinox: such as J2000 or B1950, "" for systems that have none.
        epoch: of FK4, whose axes turn slowly, when the places were observed; "" takes the equinox.
    """

    system: str
    equinox: str = ""
    epoch: str = ""

    def __str__(self) -> str:
        """Say it as astronomers do."""
        return f"{self.system.upper().replace('FK4NOETERMS', 'FK4-NO-E')} {self.equinox}".strip()

    @property
    def is_equatorial(self) -> bool:
        """Whether its angles are right ascension and declination."""
        return self.system != "galactic"

    def to_icrs(self, longitude: Array, latitude: Array) -> tuple[Array, Array]:
        """Return right ascension in 0...360 and declination of places, all in degrees; NaN stays NaN."""
        if self == ICRS:
            return np.mod(longitude, 360), latitude
        # here, for it takes a second to load and few tables need it
        from astropy.coordinates import SkyCoord

        times = {name: value for name, value in (("equinox", self.equinox), ("obstime", self.epoch)) if value}
        known = np.isfinite(longitude) & np.isfinite(latitude)
        ra, dec = np.full(len(known), np.nan), np.full(len(known), np.nan)
        place = SkyCoord(longitude[known], latitude[known], unit="deg", frame=self.system, **times).icrs
        ra[known], dec[known] = place.ra.deg, place.dec.deg
        return ra, dec


ICRS = Frame("icrs")
B1950 = Frame("fk4", "B1950")
GALACTIC = Frame("galactic")


def frame_of(system: str, equinox: str = "", epoch: str = "") -> Frame:
    """Return the frame that a file names.

    Args:
        system: in the words of COOSYS or RADESYS.
        equinox: such as J2000, 1950.0 or "", UNKNOWN, NONE or 0 for the system's usual one.
        epoch: of the observation, likewise.

    Raises:
        ValueError: no such system can be changed to ICRS, or a time is none.
    """
    name = SYSTEMS.get(system.strip().lower())
    if name is None:
        raise ValueError(f"{system!r} is no system of coordinates that can be changed to ICRS")
    if name in ("icrs", "galactic"):
        return Frame(name)
    if name == "fk5":
        return Frame(name, _time(equinox, "J") or "J2000")
    return Frame(name, _time(equinox, "B") or "B1950", _time(epoch, "B"))


def of_fits_header(header: Mapping[str, Any], column: int) -> Frame | None:
    """Return the frame that the cards of a FITS table give for a column, or None for none.

    ``RADEna`` and ``EQUIna`` of the column, else ``RADESYS`` and ``EQUINOX`` of the table. A card counts as absent
    where it is blank, UNKNOWN or NONE, or an equinox of 0.

    Args:
        header: of the table.
        column: counted from 1.

    Raises:
        ValueError: the frame cannot be changed to ICRS.
    """
    table = "RADESYS" if "RADESYS" in header else "RADECSYS"
    for system, equinox in ((f"RADE{column}", f"EQUI{column}"), (table, "EQUINOX")):
        named, told = declared(header.get(system)), declared(header.get(equinox))
        if named:
            return frame_of(named, told)
        if year := _time(told, ""):
            before = float(year.lstrip("JB")) < FIRST_FK5
            return frame_of("FK4" if before else "FK5", year)
    return None


def declared(value: object) -> str:
    """Return what a file declares, "" where that is blank or says that nobody knows."""
    text = "" if value is None or isinstance(value, Undefined) else str(value).strip()
    return "" if text.lower() in UNDECLARED else text


def _time(text: str, letter: str) -> str:
    """Return a year with its letter; ``letter`` where it has none; "" for none, for which some write 0."""
    text = declared(text).upper()
    if not text or text.strip("0") in ("", "."):
        return ""
    given, year = (text[0], text[1:]) if text[0] in "JB" else (letter, text)
    try:
        if not 1000 < float(year) < 3000:
            raise ValueError
    except ValueError:
        raise ValueError(f"{text!r} is no year such as J2000 or 1950.0") from None
    return f"{given}{year}"

"""From a position that somebody typed to a galaxy of the survey."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord

from mergerscope.errors import QueryError
from mergerscope.publish.sky import separation_arcsec, unit_vectors

__all__ = ["nearest_on_sky", "parse_position"]

Array = np.ndarray[Any, Any]

EXAMPLES = 'give "150.1163 2.2058" in degrees, or "10:00:27.9 +02:12:21" or "10h00m27.9s +2d12m21s"'


def parse_position(text: str) -> tuple[float, float]:
    """Return right ascension and declination in degrees, ICRS.

    Two plain numbers are degrees. Else what astropy reads: with colons or blanks, the right ascension is in hours.

    Raises:
        QueryError: it is neither, or right ascension is not in 0...360 or declination not in -90...90 degrees.
    """
    words = text.replace(",", " ").split()
    try:
        if len(words) == 2 and all(map(_is_number, words)):
            ra, dec = map(float, words)
        else:
            place = SkyCoord(" ".join(words), unit=(units.hourangle, units.deg), frame="icrs")
            ra, dec = float(place.ra.deg), float(place.dec.deg)
    except (ValueError, TypeError, units.UnitsError):
        raise QueryError(f"--position {text!r} is not a right ascension and a declination: {EXAMPLES}.") from None
    if not (0 <= ra <= 360 and -90 <= dec <= 90):
        raise QueryError(f"--position {text!r}: right ascension lies in 0...360 and declination in -90...90 degrees, "
                         f"got {ra:g} and {dec:g}.")
    return ra, dec


def nearest_on_sky(text: str, ra_deg: Array, dec_deg: Array, ids: Array, radius_arcsec: float) -> tuple[int, float]:
    """Return the number of the galaxy nearest to a position, and its separation in arc seconds.

    Args:
        text: the position, see `parse_position`.
        ra_deg: (N,) degrees, ICRS; NaN where unknown.
        dec_deg: (N,) likewise.
        ids: (N,) for messages.
        radius_arcsec: how far it may be.

    Raises:
        QueryError: no galaxy has a position, or none is so near.
    """
    ra, dec = parse_position(text)
    if not np.isfinite(ra_deg).any():
        raise QueryError("the survey has no positions (ra_deg and dec_deg of its table), so --position finds nothing. "
                         "Search by --id or --image.")
    here = unit_vectors(np.array(ra), np.array(dec))
    separation = separation_arcsec(np.linalg.norm(unit_vectors(ra_deg, dec_deg) - here, axis=1))
    nearest = int(np.nanargmin(separation))
    if not separation[nearest] <= radius_arcsec:
        raise QueryError(f"no galaxy of the survey within {radius_arcsec:g} arcsec of {ra:.5f} {dec:+.5f}: the nearest "
                         f"is {ids[nearest]} at {_shown(separation[nearest])}. Raise --radius, or check the position.")
    return nearest, float(separation[nearest])


def _shown(arcsec: float) -> str:
    return f"{arcsec:.1f} arcsec" if arcsec < 3600 else f"{arcsec / 3600:.1f} degrees"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False

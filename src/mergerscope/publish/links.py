"""Web pages that show a place on the sky, where there are pictures of it.

Whether there are is told from the published outlines of the surveys, and only roughly: holes, single missing fields
and stripes outside of the main area are not in them. A link may so lead to an empty page near an edge, and a place on
a stripe may have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from mergerscope.publish.sky import unit_vectors

__all__ = ["LEGACY_WIDTH", "SDSS_WIDTH", "in_legacy", "in_sdss", "legacy_viewer", "sdss"]

Array = np.ndarray[Any, Any]

GALACTIC_POLE = (192.85948, 27.12825)
"""ICRS degrees of the north galactic pole (the Hipparcos catalogue, ESA SP-1200, volume 1, section 1.5.3)."""

LEGACY_NORTH = 32.375
"""Declination, degrees: release 10 holds what lies south of it, release 9 the north."""

LONGEST = "359.999999", "-89.999999"
LEGACY = "https://www.legacysurvey.org/viewer?ra={ra}&dec={dec}&layer={layer}&zoom=15"
SDSS = "https://skyserver.sdss.org/dr18/VisualTools/navi?ra={ra}&dec={dec}&scale=0.2"
LEGACY_WIDTH = len(LEGACY.format(ra=LONGEST[0], dec=LONGEST[1], layer="ls-dr10"))
SDSS_WIDTH = len(SDSS.format(ra=LONGEST[0], dec=LONGEST[1]))


def legacy_viewer(ra_deg: Array, dec_deg: Array) -> pa.Array:
    """Return a link to the viewer of the DESI Legacy Imaging Surveys for each place in `in_legacy`, null elsewhere."""

    def page(ra: str, dec: str) -> str:
        return LEGACY.format(ra=ra, dec=dec, layer="ls-dr10" if float(dec) < LEGACY_NORTH else "ls-dr9")

    return _links(ra_deg, dec_deg, in_legacy(ra_deg, dec_deg), page)


def sdss(ra_deg: Array, dec_deg: Array) -> pa.Array:
    """Return a link to the navigator of SDSS for each place in `in_sdss`, null elsewhere."""
    return _links(ra_deg, dec_deg, in_sdss(ra_deg, dec_deg), lambda ra, dec: SDSS.format(ra=ra, dec=dec))


def in_legacy(ra_deg: Array, dec_deg: Array) -> Array:
    """Say which places lie in the rough outline of the DESI Legacy Imaging Surveys; NaN does not.

    More than 18 degrees from the galactic plane, south of +84 degrees, and on the south galactic side south of +34
    (Dey et al. 2019, arXiv:1804.08657, and the descriptions of releases 8 to 10). South of -18 degrees the coverage,
    by other programmes of the same camera, has holes.
    """
    latitude = _galactic_latitude(ra_deg, dec_deg)
    north, south = (latitude > 18) & (dec_deg < 84), (latitude < -18) & (dec_deg < 34)
    return np.asarray(north | south)


def in_sdss(ra_deg: Array, dec_deg: Array) -> Array:
    """Say which places lie in the rough outline of the imaging of SDSS; NaN does not.

    The two contiguous areas of release 8 (Aihara et al. 2011, arXiv:1101.1559) as boxes: in the north, right ascension
    110 to 265 and declination -3 to +68 degrees, more than 25 from the galactic plane; in the south, beyond 310 or
    before 60 and -10 to +35, more than 20 from the plane.
    """
    latitude, ra = _galactic_latitude(ra_deg, dec_deg), np.mod(ra_deg, 360)
    north = (latitude > 25) & (ra > 110) & (ra < 265) & (dec_deg > -3) & (dec_deg < 68)
    south = (latitude < -20) & ((ra > 310) | (ra < 60)) & (dec_deg > -10) & (dec_deg < 35)
    return np.asarray(north | south)


def _links(ra_deg: Array, dec_deg: Array, inside: Array, page: Callable[[str, str], str]) -> pa.Array:
    places = zip(inside.tolist(), np.mod(ra_deg, 360).tolist(), dec_deg.tolist(), strict=True)
    return pa.array([page(f"{ra:.6f}", f"{dec:.6f}") if here else None for here, ra, dec in places], pa.string())


def _galactic_latitude(ra_deg: Array, dec_deg: Array) -> Array:
    pole = unit_vectors(np.array([GALACTIC_POLE[0]]), np.array([GALACTIC_POLE[1]]))[0]
    return np.asarray(np.degrees(np.arcsin(np.clip(unit_vectors(ra_deg, dec_deg) @ pole, -1, 1))))

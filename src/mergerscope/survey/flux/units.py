"""What a pixel's number means: nanomaggies where the header tells, counts where it does not.

A nanomaggy is the flux of an object of AB magnitude 22.5, 3.631e-6 Jy (Finkbeiner et al. 2004, arXiv:astro-ph/0409700).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

__all__ = ["MAGNITUDE_KEYS", "nanomaggies_per_unit"]

NANOMAGGY_WORDS = frozenset({"nanomaggy", "nanomaggies", "nanomaggie", "nanomaggys", "nmgy", "nmaggy", "nmgys"})
JANSKYS = {"jy": 1.0, "mjy": 1e-3, "ujy": 1e-6, "microjy": 1e-6, "njy": 1e-9}
NANOMAGGY_JANSKY = 3.631e-6
MAGNITUDE_KEYS = ("MAGZERO", "PHOTZP", "MAGZP")
"""Headers that give the AB magnitude of one unit of a pixel.

Others are not read, for many leave out the exposure time, as ``FPA.ZP`` of Pan-STARRS does, and a wrong zero point is
worse than none.
"""
VEGA = {"MAGZP": frozenset(("J", "H", "K", "Ks", "W1", "W2", "W3", "W4"))}
"""Headers whose magnitudes in these bands are Vega's, as 2MASS and WISE write them: up to 6.6 mag from AB."""
FLUX_OF_ZERO = "FLUXMAG0"
"""Units that an object of magnitude 0 has, as the HSC pipeline writes."""
LEGACY = ("decals", "legacysurvey")
"""What ``SURVEY`` begins with in the cutouts of the Legacy Surveys' service, which name no unit and are nanomaggies."""
FAINTEST = 60.0
"""A zero point beyond it is none."""


def nanomaggies_per_unit(
    value_of: Callable[[str], Any], zero_point: float | None, bands: Collection[str | None] = ()
) -> float | None:
    """Return the nanomaggies that one unit of a pixel is, or None where nobody knows.

    ``BUNIT`` decides where it names nanomaggies or janskys; else the first of `MAGNITUDE_KEYS`, then whether the Legacy
    Surveys' cutout service wrote it, then ``FLUXMAG0``, then the given zero point.

    Args:
        value_of: a header's value by its key, None where it is not there.
        zero_point: AB magnitude of one count where the header has none.
        bands: of the image, as far as they are known.
    """
    unit = str(value_of("BUNIT") or "").strip().lower().removesuffix("/pixel").removesuffix("/pix").strip()
    if unit in NANOMAGGY_WORDS:
        return 1.0
    # upper case: a unit of millijansky is mJy, one of megajansky, a surface brightness, MJy
    if unit in JANSKYS and not str(value_of("BUNIT")).strip().startswith("M"):
        return JANSKYS[unit] / NANOMAGGY_JANSKY
    for key in MAGNITUDE_KEYS:
        magnitude = None if not VEGA.get(key, frozenset()).isdisjoint(bands) else _number(value_of(key))
        if magnitude is not None and 0 < magnitude < FAINTEST:
            return _of_zero_point(magnitude)
    if str(value_of("SURVEY") or "").lower().replace(" ", "").startswith(LEGACY) and value_of("IMAGETYP"):
        return 1.0
    flux_of_zero = _number(value_of(FLUX_OF_ZERO))
    if flux_of_zero is not None and flux_of_zero > 0:
        return 1e9 / flux_of_zero
    return None if zero_point is None else _of_zero_point(zero_point)


def _of_zero_point(magnitude: float) -> float:
    return float(10 ** (0.4 * (22.5 - magnitude)))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)

"""How much of the sky a pixel covers, out of a FITS header."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["LARGEST", "pixel_arcsec_of"]

UNITS = {"": 3600.0, "deg": 3600.0, "arcmin": 60.0, "arcsec": 1.0, "rad": math.degrees(3600.0)}
"""Arc seconds a unit, by ``CUNIT``."""
TRUE_TO_SCALE = frozenset({
    "TAN", "TPV", "TNX", "ZPN", "ZPX", "SIN", "ARC", "STG", "ZEA", "SFL", "GLS", "PAR", "MOL", "AIT",
})  # fmt: skip
"""Projections (Calabretta & Greisen 2002, arXiv:astro-ph/0207413) under which a square degree of the plane is one of
the sky: about their reference point, where a cutout lies, or everywhere. Under others, such as ``CAR``, that hangs on
the declination."""
LARGEST = 60.0
"""Arc seconds: no galaxy is seen in such pixels, and a header without values has 3600."""


def pixel_arcsec_of(header: Mapping[str, Any]) -> float | None:
    """Return the side of a square as large as a pixel, arc seconds, or None where the header does not tell.

    From the linear part of the WCS (``CDi_j``, else ``CDELTi`` and ``PCi_j``) alone, which takes a hundredth of the
    time of a whole one. The distortion of a wide field (TPV, SIP) is left out: in DECam's, half a percent.
    """
    axes = [str(header.get(f"CTYPE{axis}", "")).upper() for axis in (1, 2)]
    if not all(name[:2] in ("RA", "DE", "GL", "EL") and name[5:8] in TRUE_TO_SCALE for name in axes):
        return None
    try:
        units = [UNITS[str(header.get(f"CUNIT{axis}", "")).strip().lower()] for axis in (1, 2)]
        area = abs(_determinant(header)) * units[0] * units[1]
    except (KeyError, TypeError, ValueError):
        return None
    side = math.sqrt(area) if math.isfinite(area) else 0.0
    return side if 0 < side < LARGEST else None


def _determinant(header: Mapping[str, Any]) -> float:
    keys = [f"{row}_{column}" for row in (1, 2) for column in (1, 2)]
    if any(f"CD{key}" in header for key in keys):
        a, b, c, d = (float(header.get(f"CD{key}", 0.0)) for key in keys)
        return a * d - b * c
    a, b, c, d = (float(header.get(f"PC{key}", key[0] == key[2])) for key in keys)
    return (a * d - b * c) * float(header["CDELT1"]) * float(header["CDELT2"])

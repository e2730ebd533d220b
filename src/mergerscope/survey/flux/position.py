"""Where on the sky the middle of an image lies."""

from __future__ import annotations

import math
import warnings
from typing import Any

__all__ = ["centre_of"]


def centre_of(header: Any, height: int, width: int) -> tuple[float, float] | None:
    """Return ICRS right ascension and declination, degrees, of the centre, or None where the header has no sky.

    Every projection and distortion that WCSLIB knows is understood, among them TAN, TAN-SIP and TPV.

    Args:
        header: of the image, as astropy read it.
        height: rows.
        width: columns.
    """
    # here, for it takes longer to load than all else together
    from astropy.wcs import WCS

    if "CTYPE1" not in header:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of keys that it mends, and units that it does not know
            wcs = WCS(header, naxis=2).celestial
            if not wcs.has_celestial:
                return None
            x, y = (width - 1) / 2, (height - 1) / 2
            # ICRS needs no change of frame, which would take ten times as long
            if wcs.wcs.radesys == "ICRS" and wcs.wcs.lngtyp == "RA":
                ra, dec = (float(value) for value in wcs.all_pix2world(x, y, 0))
            else:
                place = wcs.pixel_to_world(x, y).icrs
                ra, dec = float(place.ra.deg), float(place.dec.deg)
    # Of WCSLIB's errors there is a class for each; any of them means that this header tells no position.
    except Exception:
        return None
    ra %= 360.0
    return (ra, dec) if math.isfinite(ra) and -90 <= dec <= 90 else None

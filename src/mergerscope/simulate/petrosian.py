"""Petrosian radii in circular apertures, as SDSS measures them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["petrosian_radius"]


def petrosian_radius(image: NDArray[np.float32], centre_px: tuple[float, float], share: float = 0.9) -> float:
    """Return the radius in pixels of a share of the Petrosian flux (Blanton et al. 2001, astro-ph/0012085, eqs. 1-3).

    The Petrosian radius is where the brightness in an annulus of 0.8 to 1.25 radii falls to 0.2 of the mean inside;
    the flux is what lies within twice that radius.

    Args:
        image: (H, W) without noise or other objects.
        centre_px: x and y of the galaxy, from the field's centre.
        share: 0.9 gives petroR90, 0.5 petroR50.
    """
    size = image.shape[0]
    axis = np.arange(size) - (size - 1) / 2
    r = np.hypot((axis - centre_px[0])[None, :], (axis - centre_px[1])[:, None]).ravel()
    order = np.argsort(r, kind="stable")
    r, light = r[order], np.cumsum(image.ravel()[order], dtype=np.float64)
    # growth at evenly spaced radii, with the area of the pixels that are counted rather than that of a circle
    radii = np.arange(2.0, size / 2, 0.25)

    def within(radius: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        count = np.maximum(np.searchsorted(r, radius), 1)
        return light[count - 1], count.astype(np.float64)

    inner, inner_area = within(0.8 * radii)
    outer, outer_area = within(1.25 * radii)
    whole, area = within(radii)
    ratio = (outer - inner) / np.maximum(outer_area - inner_area, 1) / np.maximum(whole / area, 1e-30)
    below = np.flatnonzero(ratio < 0.2)
    petrosian = radii[below[0]] if below.size else radii[-1]
    total = within(np.array([min(2 * petrosian, size / 2)]))[0][0]
    return float(np.interp(share * total, whole, radii))

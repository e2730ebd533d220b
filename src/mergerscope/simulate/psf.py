"""The point spread: two Gaussians and a power-law wing, as SDSS models its own, applied by Fourier transform."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

__all__ = ["CORE_PX", "Psf", "spread"]

Array = NDArray[np.float64]

CORE_PX = 0.6
"""Sigma of the Gaussian with which galaxies and stars are drawn, in pixels, so that no cusp falls between pixels;
it is a part of the point spread and taken off it here."""

WIDER = 2.6
"""Ratio of the two Gaussians' widths, and SECOND the height of the second: close to SDSS's own fits."""
SECOND = 0.06
NARROW = 0.967
"""Width of the narrow Gaussian of a sum with this second one and the wing, over that of the whole."""


@dataclass(frozen=True, slots=True)
class Psf:
    """A round point spread (Stoughton et al. 2002, AJ 123, 485, sect. 4.3, with an r^-3 wing).

    Attributes:
        fwhm_arcsec: full width at half maximum of the whole.
        wing: share of the light in the wing (1 + r^2 / a^2)^(-3/2), whose a is twice the width.
    """

    fwhm_arcsec: float
    wing: float

    def width_arcsec(self, pixel_arcsec: float) -> float:
        """Return the full width at half maximum as it is drawn: in wide pixels no narrower than `CORE_PX` makes it."""
        return max(self.fwhm_arcsec, CORE_PX * math.sqrt(8 * math.log(2)) * pixel_arcsec / NARROW)

    def transfer(self, k_squared: Array, pixel_arcsec: float) -> Array:
        """Return the Fourier transform at squared frequencies in cycles a pixel, less the core that is drawn.

        The transform of the wing is an exponential (Hankel transform of order 0).
        """
        width_px = self.fwhm_arcsec / pixel_arcsec
        sigma = NARROW * width_px / np.sqrt(8 * np.log(2))
        narrow = -2 * np.pi**2 * max(sigma**2 - CORE_PX**2, 0.0)
        wide = -2 * np.pi**2 * ((WIDER * sigma) ** 2 - CORE_PX**2)
        weight = SECOND * WIDER**2
        core = (np.exp(narrow * k_squared) + weight * np.exp(wide * k_squared)) / (1 + weight)
        tail = np.exp(-2 * np.pi * (2 * width_px) * np.sqrt(k_squared))
        return np.asarray((1 - self.wing) * core + self.wing * tail)


def spread(
    light: NDArray[np.float32], psf: tuple[Psf, ...], shift_arcsec: Array, pixel_arcsec: float
) -> NDArray[np.float32]:
    """Convolve light drawn with `CORE_PX` with the point spread of each band; edges wrap around.

    Args:
        light: (bands, H, W).
        psf: of each band.
        shift_arcsec: (bands, 2), x and y, by which each band is moved.
        pixel_arcsec: side of a pixel.

    Returns:
        float32 (bands, H, W).
    """
    height, width = light.shape[1:]
    ky, kx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    k_squared = ky**2 + kx**2
    result = np.empty_like(light)
    for index, one in enumerate(psf):
        x, y = shift_arcsec[index] / pixel_arcsec
        turn = np.exp(-2j * np.pi * (kx * x + ky * y))
        factor = (one.transfer(k_squared, pixel_arcsec) * turn).astype(np.complex64)
        result[index] = scipy.fft.irfft2(scipy.fft.rfft2(light[index]) * factor, s=(height, width))
    return result

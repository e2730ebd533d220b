"""From light to a picture: point spread, stars, sky noise and the asinh stretch that colour cutouts are shown with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mergerscope.simulate.galaxies import turned

__all__ = ["Conditions", "expose", "observing_conditions", "smoothed", "star"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Conditions:
    """How good the night was.

    Attributes:
        seeing_fwhm_px: full width at half maximum of the point spread.
        noise: of a sky pixel in red, green, blue, in units of light.
        grain_px: length over which resampling has correlated the noise.
        pedestal: brightness of the sky left after subtraction, as a fraction of white.
    """

    seeing_fwhm_px: float
    noise: tuple[float, float, float]
    grain_px: float
    pedestal: float


def observing_conditions(rng: np.random.Generator) -> Conditions:
    """Draw conditions as they vary over a survey."""
    depth = rng.uniform(0.8, 1.9)
    red, green, blue = depth * np.array([1.15, 0.9, 1.0]) * rng.uniform(0.85, 1.15, size=3)
    return Conditions(rng.uniform(1.9, 3.0), (red, green, blue), rng.uniform(0.45, 0.95), rng.uniform(0.0, 0.03))


def smoothed(image: Array, sigma_px: float) -> Array:
    """Convolve (..., H, W) with a Gaussian by Fourier transform; edges wrap around."""
    size = image.shape[-1]
    ky, kx = np.fft.fftfreq(image.shape[-2])[:, None], np.fft.rfftfreq(size)[None, :]
    transfer = np.exp(-2 * (math.pi * sigma_px) ** 2 * (ky**2 + kx**2))
    return np.asarray(np.fft.irfft2(np.fft.rfft2(image) * transfer, s=image.shape[-2:]))


def star(
    size: int, centre: tuple[float, float], flux: float, tint: Array, conditions: Conditions, spikes: bool
) -> Array:
    """Draw a star (3, H, W) as the telescope sees it: a Moffat profile and, when bright, diffraction spikes."""
    u, v = turned(size, centre, math.pi / 4)
    beta = 3.0
    width = conditions.seeing_fwhm_px / (2 * math.sqrt(2 ** (1 / beta) - 1))
    profile = (beta - 1) / (math.pi * width**2) * (1 + (u**2 + v**2) / width**2) ** -beta
    if spikes:
        for along, across in ((u, v), (v, u)):
            profile = profile + 2e-3 / (1 + np.abs(along) / 4) ** 1.5 * np.exp(-0.5 * (across / 0.7) ** 2)
    return np.asarray(flux * tint[:, None, None] * profile)


def expose(light: Array, seen: Array, conditions: Conditions, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn light into a colour cutout.

    Args:
        light: (3, H, W) above the atmosphere.
        seen: (3, H, W) light that already has the point spread, such as stars.
        conditions: of the night.
        rng: where the noise comes from.

    Returns:
        uint8 (H, W, 3).
    """
    image = smoothed(light, conditions.seeing_fwhm_px / 2.355) + seen
    image = np.maximum(image, 0)
    grain = smoothed(rng.normal(size=image.shape), conditions.grain_px)
    grain /= grain.std()
    # sky noise everywhere, photon noise on top where there is light
    noise = np.array(conditions.noise)[:, None, None] * np.sqrt(1 + image / 60)
    return _asinh_rgb(image + noise * grain, conditions.pedestal)


def _asinh_rgb(image: Array, pedestal: float, softening: float = 14.0, white: float = 260.0) -> NDArray[np.uint8]:
    """Stretch all bands by one function of their mean, which keeps colours (Lupton et al. 2004, astro-ph/0312483).

    A pixel above white in one band is scaled as a whole, so that a bright centre stays coloured.
    """
    mean = np.maximum(image.mean(axis=0), 1e-3)
    gain = np.arcsinh(mean / softening) / (math.asinh(white / softening) * mean)
    shown = image * gain + pedestal
    shown /= np.maximum(shown.max(axis=0), 1.0)
    return np.asarray(np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8).transpose(1, 2, 0))

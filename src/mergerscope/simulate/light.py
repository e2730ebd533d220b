"""Smooth light with GalSim: Sersic spheroids and discs seen from any side, on a grid of pixels.

Maps are float32 (H, W), y down the rows; pixel centres are at whole numbers, the field's centre at (size - 1) / 2.
Everything is drawn with the narrow Gaussian core of `mergerscope.simulate.psf`, and r-band light adds up to the flux
asked for, less what falls outside the field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from mergerscope.errors import MissingExtraError
from mergerscope.simulate.populations import dust_colour, galaxy_colour
from mergerscope.simulate.psf import CORE_PX

__all__ = ["Grid", "Stars", "add_gaussian", "disc", "galsim", "grid", "sersic", "smooth", "to_bands"]

Map = NDArray[np.float32]

TRUNCATED = 7.0
"""Profiles end at this many half-light radii, as SDSS ends its de Vaucouleurs profiles."""
STEEPEST = 4.5
"""Largest Sersic index that is drawn; GalSim needs large transforms for more."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a galaxy is drawn.

    Attributes:
        size: pixels a side of the square field.
        pixel_arcsec: side of a pixel.
        centre_px: x and y of the galaxy, from the field's centre.
    """

    size: int
    pixel_arcsec: float
    centre_px: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Stars:
    """Light by population, and the dust before it.

    Attributes:
        old: (H, W) r-band light of old stars, flux.
        young: (H, W) of young stars.
        depth: (H, W) optical depth in r of dust before both, or None.
    """

    old: Map
    young: Map
    depth: Map | None = None


def galsim() -> Any:
    """Return the module galsim.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import galsim as module
    except ImportError:
        raise MissingExtraError("galsim", "simulate", "Drawing a made-up sky") from None
    return module


def to_bands(stars: Stars, bands: tuple[int, ...], redshift: float, redder: float = 0.0) -> Map:
    """Return the light (len(bands), H, W) in the bands of these places in `populations.BANDS`.

    Args:
        stars: r-band light.
        bands: which.
        redshift: of the galaxy.
        redder: magnitudes of g-r by which its old stars are redder than most; half as many for the young.
    """
    chosen = list(bands)
    old = galaxy_colour("old", redshift, redder)[chosen].astype(np.float32)
    young = galaxy_colour("young", redshift, 0.5 * redder)[chosen].astype(np.float32)
    light: Map = old[:, None, None] * stars.old + young[:, None, None] * stars.young
    if stars.depth is not None:
        light *= np.exp(-dust_colour()[chosen].astype(np.float32)[:, None, None] * stars.depth)
    return light


def sersic(where: Grid, flux: float, radius_arcsec: float, index: float, axis_ratio: float, angle: float) -> Map:
    """Draw a Sersic (1963) profile.

    Args:
        where: the field.
        flux: total.
        radius_arcsec: half-light radius of the major axis.
        index: 0.5...4.5; larger ones are drawn as 4.5.
        axis_ratio: minor over major axis.
        angle: of the major axis from +x to +y.
    """
    module = galsim()
    # steps of a tenth, for GalSim keeps what it computes for an index
    index = round(min(index, STEEPEST), 1)
    radius = max(radius_arcsec / where.pixel_arcsec, 0.05) * math.sqrt(axis_ratio)
    profile = module.Sersic(
        index, half_light_radius=radius, flux=flux, trunc=TRUNCATED * radius, gsparams=_accuracy(module)
    )
    return _draw(profile.shear(q=axis_ratio, beta=angle * module.radians), where)


def disc(
    where: Grid, flux: float, length_arcsec: float, tilt: float, angle: float, thickness: float = 0.12
) -> Map:
    """Draw an exponential disc of finite thickness, sech^2 across.

    Args:
        where: the field.
        flux: total.
        length_arcsec: exponential scale length.
        tilt: inclination, 0 face-on, pi / 2 edge-on.
        angle: of the major axis from +x to +y.
        thickness: scale height over scale length.
    """
    module = galsim()
    length = max(length_arcsec / where.pixel_arcsec, 0.05)
    profile = module.InclinedExponential(
        tilt * module.radians, scale_radius=length, scale_h_over_r=thickness, flux=flux, gsparams=_accuracy(module)
    )
    return _draw(profile.rotate(angle * module.radians), where)


def add_gaussian(light: Map, x_px: float, y_px: float, flux: NDArray[np.float64], sigma_px: float = CORE_PX) -> None:
    """Add a round Gaussian, cut at five sigma, to light (bands, H, W), at a place from the field's centre."""
    height, width = light.shape[1:]
    x, y = x_px + (width - 1) / 2, y_px + (height - 1) / 2
    reach = 5 * sigma_px
    left, right = max(math.ceil(x - reach), 0), min(math.floor(x + reach) + 1, width)
    top, bottom = max(math.ceil(y - reach), 0), min(math.floor(y + reach) + 1, height)
    if left < right and top < bottom:
        along = np.exp(-0.5 * ((np.arange(left, right) - x) / sigma_px) ** 2)
        across = np.exp(-0.5 * ((np.arange(top, bottom) - y) / sigma_px) ** 2)
        stamp = np.multiply.outer(across, along) / (2 * math.pi * sigma_px**2)
        light[:, top:bottom, left:right] += (flux[:, None, None] * stamp).astype(np.float32)


def grid(where: Grid, angle: float) -> tuple[Map, Map]:
    """Return coordinates (H, W) in pixels from the galaxy along the direction ``angle`` and across it."""
    axis = np.arange(where.size, dtype=np.float32) - np.float32((where.size - 1) / 2)
    x, y = (axis - np.float32(where.centre_px[0]))[None, :], (axis - np.float32(where.centre_px[1]))[:, None]
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    return x * cos + y * sin, y * cos - x * sin


def smooth(image: Map, sigma_px: float) -> Map:
    """Convolve (H, W) with a Gaussian; edges wrap around."""
    ky, kx = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None, :]
    factor = np.exp(-2 * (math.pi * sigma_px) ** 2 * (ky**2 + kx**2)).astype(np.float32)
    return np.asarray(scipy.fft.irfft2(scipy.fft.rfft2(image) * factor, s=image.shape), np.float32)


def _accuracy(module: Any) -> Any:
    # light to a per cent: far below the noise, and transforms stay small
    return module.GSParams(folding_threshold=2e-2, maxk_threshold=1e-2, maximum_fft_size=8192)


def _draw(profile: Any, where: Grid) -> Map:
    """Draw onto the field, or onto a stamp around a small galaxy."""
    module = galsim()
    whole = module.Convolve(profile, module.Gaussian(sigma=CORE_PX, gsparams=_accuracy(module)))
    good = int(whole.getGoodImageSize(1.0))
    stamp_size = min(good + good % 2 + where.size % 2, where.size)
    image = np.zeros((where.size, where.size), np.float32)
    shift = [round(value) for value in where.centre_px]
    offset = [value - whole_px for value, whole_px in zip(where.centre_px, shift, strict=True)]
    if stamp_size == where.size:
        shift, offset = [0, 0], list(where.centre_px)
    if max(abs(value) for value in shift) > where.size:
        return image
    stamp = module.ImageF(stamp_size, stamp_size, scale=1.0)
    whole.drawImage(stamp, method="no_pixel", offset=tuple(offset))
    _add(image, np.maximum(stamp.array, 0), shift)
    return image


def _add(image: Map, stamp: Map, shift: list[int]) -> None:
    start = [(image.shape[0] - stamp.shape[0]) // 2 + shift[1], (image.shape[1] - stamp.shape[1]) // 2 + shift[0]]
    low = [max(value, 0) for value in start]
    high = [min(value + side, whole) for value, side, whole in zip(start, stamp.shape, image.shape, strict=True)]
    if low[0] < high[0] and low[1] < high[1]:
        image[low[0] : high[0], low[1] : high[1]] += stamp[
            low[0] - start[0] : high[0] - start[0], low[1] - start[1] : high[1] - start[1]
        ]

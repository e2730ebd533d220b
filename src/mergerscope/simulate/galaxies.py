"""The light of undisturbed galaxies, before the telescope: ellipticals, discs with arms and bars, edge-on discs.

Light is a float array (3, H, W) in the display's order red, green, blue (SDSS i, r, g), in units of the noise of
one sky pixel. Pixel centres are at whole numbers, the field's centre at (size - 1) / 2; angles run from +x to +y.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["OLD", "YOUNG", "blob", "colour", "disc_galaxy", "edge_on_galaxy", "elliptical_galaxy", "sersic", "turned"]

Array = NDArray[np.float64]

# Relative brightness in red, green, blue; their mean is 1.
OLD = np.array([1.27, 1.02, 0.71])
YOUNG = np.array([0.82, 0.95, 1.23])


def colour(age: float, redshift_reddening: float = 0.0) -> Array:
    """Return the colour (3,) of a population between young (0) and old (1), reddened by distance."""
    mixed = (1 - age) * YOUNG + age * OLD
    mixed = mixed * np.array([1 + redshift_reddening, 1.0, 1 - redshift_reddening])
    return np.asarray(mixed / mixed.mean())


def turned(size: int, centre: tuple[float, float], angle: float) -> tuple[Array, Array]:
    """Return coordinates (H, W) along and across the direction ``angle``, from ``centre`` (x, y in pixels)."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2.0
    x, y = x - centre[0], y - centre[1]
    return x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)


def sersic(
    size: int, centre: tuple[float, float], radius_px: float, index: float, axis_ratio: float, angle: float
) -> Array:
    """Return a Sersic profile (H, W) of total light 1.

    The coefficient b_n is the expansion of Ciotti & Bertin (1999, arXiv:astro-ph/9911078), eq. 18.
    """
    u, v = turned(size, centre, angle)
    # a third of a pixel of softening stands for the mean over the central pixel
    r = np.sqrt(axis_ratio * u**2 + v**2 / axis_ratio + 0.11) / radius_px
    b = 2 * index - 1 / 3 + 4 / (405 * index) + 46 / (25515 * index**2)
    total = 2 * math.pi * index * radius_px**2 * b ** (-2 * index) * math.gamma(2 * index)
    return np.asarray(np.exp(-b * r ** (1 / index)) / total)


def blob(size: int, centre: tuple[float, float], sigma_px: float) -> Array:
    """Return a round Gaussian (H, W) of total light 1."""
    u, v = turned(size, centre, 0.0)
    return np.asarray(np.exp(-(u**2 + v**2) / (2 * sigma_px**2)) / (2 * math.pi * sigma_px**2))


def elliptical_galaxy(
    size: int, centre: tuple[float, float], radius_px: float, flux: float, rng: np.random.Generator
) -> Array:
    """Draw an elliptical: Sersic index 2.5 to 5, round to E5, old stars."""
    tint = colour(rng.uniform(0.8, 1.1), rng.uniform(0, 0.12))
    shape = sersic(size, centre, radius_px, rng.uniform(2.5, 5), rng.uniform(0.5, 1), rng.uniform(0, math.pi))
    return np.asarray(flux * tint[:, None, None] * shape)


def disc_galaxy(
    size: int, centre: tuple[float, float], radius_px: float, flux: float, rng: np.random.Generator
) -> Array:
    """Draw an inclined disc with a bulge, logarithmic arms, knots of young stars and, in a third, a bar."""
    axis_ratio, angle = rng.uniform(0.35, 1), rng.uniform(0, math.pi)
    u, v = turned(size, centre, angle)
    length = radius_px / 1.68
    r = np.hypot(u, v / axis_ratio) / length
    theta = np.arctan2(v / axis_ratio, u)
    arms = _arms(r, theta, rng)
    disc = np.exp(-r) / (2 * math.pi * length**2 * axis_ratio)
    old, young = colour(rng.uniform(0.45, 0.9)), colour(rng.uniform(-0.35, 0.15))
    bulge_share = rng.uniform(0.03, 0.35)
    bulge = sersic(size, centre, radius_px * rng.uniform(0.12, 0.28), rng.uniform(1.2, 3), 0.9, angle)
    light = old[:, None, None] * (bulge_share * bulge + (1 - bulge_share) * 0.55 * disc)
    light += young[:, None, None] * ((1 - bulge_share) * 0.45 * disc * arms)
    light += young[:, None, None] * _knots(size, disc * arms**2, rng)
    if rng.uniform() < 0.35:
        turn = rng.uniform(0, math.pi)
        bar = sersic(size, centre, radius_px * rng.uniform(0.3, 0.45), 0.6, rng.uniform(0.25, 0.4), turn)
        light += old[:, None, None] * rng.uniform(0.08, 0.2) * bar
    return np.asarray(flux * light)


def _arms(r: Array, theta: Array, rng: np.random.Generator) -> Array:
    """Brightness of the young disc relative to its mean: logarithmic spirals, or none in a fifth of discs."""
    contrast = 0.0 if rng.uniform() < 0.2 else rng.uniform(0.4, 1.0)
    number = int(rng.choice([2, 2, 2, 3, 4]))
    pitch = math.radians(rng.uniform(12, 32)) * rng.choice([-1, 1])
    phase = number * (theta - np.log(np.maximum(r, 0.2)) / math.tan(pitch)) + rng.uniform(0, 2 * math.pi)
    inner = 1 / (1 + np.exp(-(r - 0.7) / 0.15))
    # a narrow crest: the exponential of a cosine, divided by its mean, the Bessel function I_0
    crest = np.exp(2.2 * np.cos(phase)) / np.i0(2.2)
    return np.asarray(1 + contrast * inner * (crest - 1))


def _knots(size: int, where: Array, rng: np.random.Generator) -> Array:
    """A few HII regions, (H, W), drawn where ``where`` is bright; together up to a tenth of the light."""
    light = np.zeros((size, size))
    number = int(rng.integers(0, 14))
    if where.sum() <= 0:  # the galaxy lies far outside the field
        return light
    places = rng.choice(where.size, size=number, p=(where / where.sum()).ravel())
    for place in places:
        y, x = divmod(int(place), size)
        middle = (size - 1) / 2
        light += rng.uniform(0.001, 0.008) * blob(size, (x - middle, y - middle), rng.uniform(0.5, 1.1))
    return light


def edge_on_galaxy(
    size: int, centre: tuple[float, float], radius_px: float, flux: float, rng: np.random.Generator
) -> Array:
    """Draw a disc seen edge-on (exponential along, sech^2 across) with a bulge and, in half of them, a dust lane."""
    angle = rng.uniform(0, math.pi)
    u, v = turned(size, centre, angle)
    length = radius_px / 1.2
    thickness = length * rng.uniform(0.15, 0.28)
    disc = np.exp(-np.abs(u) / length) / np.cosh(np.clip(v / thickness, -30, 30)) ** 2
    disc /= 4 * length * thickness
    bulge = sersic(size, centre, radius_px * rng.uniform(0.15, 0.3), rng.uniform(1.5, 3.5), 0.8, angle)
    share = rng.uniform(0.05, 0.3)
    light = colour(rng.uniform(0.2, 0.9))[:, None, None] * (1 - share) * disc
    light += colour(0.95)[:, None, None] * share * bulge
    if rng.uniform() < 0.5:
        depth = rng.uniform(0.2, 0.6) * np.exp(-0.5 * ((v - 0.2 * thickness) / (0.35 * thickness + 0.4)) ** 2)
        depth *= np.exp(-np.abs(u) / (2 * length))
        light *= 1 - depth * np.array([0.7, 1.0, 1.3])[:, None, None]
    return np.asarray(flux * light)

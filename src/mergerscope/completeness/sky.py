"""A cutout without its own galaxy: the sky that it stands on, and noise like the sky's where its light was.

Shapes: C channels, H x W pixels. Images are float in 0...1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_fill_holes, gaussian_filter, label
from scipy.special import ndtr

__all__ = ["Host", "Sky", "lift_host", "measure_sky", "sky_noise"]

Array = NDArray[Any]

CORNER = 5
"""A corner's side is this part of the cutout's."""
BRIGHT = 4.0
"""Pixels this many standard deviations above a corner's median are no sky."""
SMOOTHED = 1.5
"""Standard deviation, in pixels at 64 a side, of the blur before a galaxy's edge is sought."""
EDGE = 3.0
"""Level of that edge above the sky, in standard deviations of the blurred sky."""
LEAST = 0.05
"""Of the light above the sky: a channel's flux, where noise leaves none."""
MARGIN = 3
"""Pixels, at 64 a side, by which the edge is moved outwards: faint light goes on below the noise."""


@dataclass(frozen=True, slots=True)
class Sky:
    """The empty sky of one cutout.

    Attributes:
        values: (C, n) of the sky's pixels, each channel ascending: the noise's distribution, clipped at black or not.
        together: (C, C) correlation of the channels.
        grain: correlation of a pixel with the one beside it, 0 to 1.
    """

    values: Array
    together: Array
    grain: float

    @property
    def level(self) -> Array:
        """(C,) medians."""
        return np.asarray(np.median(self.values, axis=1))


@dataclass(frozen=True, slots=True)
class Host:
    """A galaxy lifted out of its cutout.

    Attributes:
        background: (C, H, W) the cutout with sky and noise in its place, not clipped at black; neighbours stay.
        light: (C, H, W) its own light above the sky.
        sky: what was measured in the corners.
    """

    background: Array
    light: Array
    sky: Sky

    @property
    def brightness(self) -> float:
        """Its displayed light, mean of the channels, in pixels of full white."""
        return float(self.light.mean(axis=0).sum())


def measure_sky(image: Array) -> Sky:
    """Measure the sky in the two darker ones of the four corners of an image (C, H, W)."""
    dark = _dark_corners(image)
    samples: list[Array] = []
    product, square = 0.0, 0.0
    for corner in dark:
        grey = corner.mean(axis=0)
        middle = float(np.median(grey))
        spread = 1.4826 * float(np.median(np.abs(grey - middle)))
        empty = grey <= middle + BRIGHT * max(spread, 1 / 255)
        samples.append(corner[:, empty])
        away = np.where(empty, grey - grey[empty].mean(), 0.0)
        product += float((away[:, 1:] * away[:, :-1]).mean() + (away[1:] * away[:-1]).mean()) / 2
        square += float((away**2).mean())
    values = np.concatenate(samples, axis=1)
    grain = float(np.clip(product / max(square, 1e-12), 0.0, 0.95))
    return Sky(np.sort(values, axis=1), _correlation(values), grain)


def sky_noise(sky: Sky, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Draw a field of sky (C, H, W): distribution, grain and correlation of the channels are those measured.

    A Gaussian field with the autocorrelation exp(-1 / (4 s^2)) of a Gaussian blur s at one pixel, each value of which
    is replaced by the measured sky's value of the same rank. Below the median the upper half is mirrored: a display
    may clip the sky at black, and light on top brings back what was clipped. So values may lie below 0.
    """
    channels = len(sky.values)
    root = np.linalg.cholesky(0.999 * sky.together + 0.001 * np.eye(channels))
    field = np.einsum("ij,jhw->ihw", root, rng.standard_normal((channels, *shape)))
    if sky.grain > 0.02:
        blur = 0.5 / math.sqrt(-math.log(sky.grain))
        field = gaussian_filter(field, (0, blur, blur), mode="wrap")
        field /= max(float(field.std()), 1e-9)
    place = ndtr(field)
    steps = (np.arange(sky.values.shape[1]) + 0.5) / sky.values.shape[1]
    upper = np.stack([np.interp(np.maximum(place[c], 1 - place[c]), steps, sky.values[c]) for c in range(channels)])
    return np.where(place >= 0.5, upper, 2 * sky.level[:, None, None] - upper)


def lift_host(image: Array, rng: np.random.Generator, linear: bool = False) -> Host:
    """Take the galaxy in the middle out of an image (C, H, W), and close the gap with sky.

    The galaxy is what hangs together with the middle above `EDGE`; a neighbour that touches it goes with it. Noise
    below the sky is no light; where light is ``linear`` the noise above it is taken off each channel's sum, which is
    then the flux.
    """
    sky = measure_sky(image)
    own = _own_pixels(image)
    level = sky.level[:, None, None]
    share = gaussian_filter(own.astype(float), 0.7)
    noise = sky_noise(sky, own.shape, rng)
    # Roots, so that the noise is as strong where one passes into the other as on both sides.
    background = level + (image - level) * np.sqrt(1 - share) + (noise - level) * np.sqrt(share)
    above = np.where(own, image - level, 0.0)
    light = np.maximum(above, 0)
    if linear:
        flux, bright = (part.sum(axis=(1, 2), keepdims=True) for part in (above, light))
        light *= np.maximum(flux, LEAST * bright) / np.maximum(bright, 1e-12)
    return Host(background, light, sky)


def _own_pixels(image: Array) -> NDArray[np.bool_]:
    h, w = image.shape[1:]
    scale = max(1.0, min(h, w) / 64)
    smooth = gaussian_filter(image.mean(axis=0), SMOOTHED * scale)
    empty = np.concatenate([corner.ravel() for corner in _dark_corners(smooth)])
    middle = float(np.median(empty))
    spread = 1.4826 * float(np.median(np.abs(empty - middle)))
    edge = middle + EDGE * max(spread, 0.25 / 255)
    parts, _ = label(smooth > edge)
    inner = parts[h // 2 - h // 16 : h // 2 + h // 16 + 1, w // 2 - w // 16 : w // 2 + w // 16 + 1]
    names = np.unique(inner[inner > 0])
    # An image with nothing in its middle gives up a small disc there.
    y, x = np.ogrid[:h, :w]
    own = np.hypot(y - (h - 1) / 2, x - (w - 1) / 2) < h / 10
    own |= np.isin(parts, names)
    grown = binary_dilation(binary_fill_holes(own), iterations=max(1, round(MARGIN * scale)))
    return np.asarray(grown, dtype=bool)


def _dark_corners(image: Array) -> list[Array]:
    """The two of the four corners of (..., H, W) with the lowest medians."""
    side = max(4, image.shape[-2] // CORNER)
    ends = (slice(0, side), slice(-side, None))
    corners = [image[..., y, x] for y in ends for x in ends]
    return sorted(corners, key=lambda corner: float(np.median(corner)))[:2]


def _correlation(values: Array) -> Array:
    """(C, C); a channel that does not vary goes with no other."""
    away = values - values.mean(axis=1, keepdims=True)
    length = np.sqrt((away**2).sum(axis=1))
    length[length == 0] = np.inf
    found = (away @ away.T) / np.multiply.outer(length, length)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)

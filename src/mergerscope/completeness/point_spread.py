"""How wide a point of light is in the survey's pictures, measured on the compact sources around its galaxies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from mergerscope.completeness.sky import measure_sky

__all__ = ["FWHM", "SATURATED", "PointSpread", "measure_point_spread"]

Array = NDArray[Any]

FWHM = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a Gaussian of standard deviation 1."""
CENTRE = 0.4
"""Sources nearer to the middle than this, in half fields, may be part of the galaxy."""
SIGNAL = 10.0
"""Least peak of a source, in standard deviations of the sky."""
SATURATED = 0.6
"""Largest peak, of full white: beyond, the display's stretch flattens and so widens a star."""
ROUND = 1.3
"""Largest ratio of the widths along both axes."""
FEWEST = 20
"""With fewer sources nothing is measured."""
ALIKE = 60
"""Sources, those of the cutouts most alike in the grain of their noise, that tell the width in one cutout."""
USUAL = 2.0
"""FWHM in pixels where too few sources are found."""


@dataclass(frozen=True, slots=True)
class PointSpread:
    """Widths of compact sources.

    Cutouts may be scaled each to its own galaxy; noise and stars are then magnified together, so the width in one
    cutout is read from those whose noise has the same grain. Where all cutouts have one scale, that is the median.

    Attributes:
        fwhm_px: (n,) widths of the sources used.
        grain: (n,) neighbour correlation of the noise in the cutout of each.
    """

    fwhm_px: Array
    grain: Array

    @property
    def measured(self) -> bool:
        """Whether there were enough sources."""
        return len(self.fwhm_px) >= FEWEST

    @property
    def median_px(self) -> float:
        """FWHM over all cutouts; `USUAL` where too few sources were found."""
        return float(np.median(self.fwhm_px)) if self.measured else USUAL

    def at(self, grain: float) -> float:
        """Return the FWHM in pixels in a cutout of that grain."""
        if not self.measured:
            return USUAL
        alike = np.argsort(np.abs(self.grain - grain), kind="stable")[:ALIKE]
        return float(np.median(self.fwhm_px[alike]))


def measure_point_spread(images: Iterable[Array], saturated: float = SATURATED) -> PointSpread:
    """Measure the compact, round, unsaturated sources away from the middle of images (C, H, W) in 0...1.

    Widths are those of the Gaussian that fits best in the sense of adaptive moments (Bernstein & Jarvis 2002, AJ 123,
    583): the weight is the source's own Gaussian, so neighbours and noise far out count little. The broader tail,
    small galaxies, is cut at three standard deviations from the median.

    Args:
        images: of the survey.
        saturated: largest peak of a source; linear light has none.
    """
    widths: list[Array] = []
    grains: list[Array] = []
    for image in images:
        found = _sources(image, saturated)
        if len(found):
            grain = measure_sky(image).grain
            widths.append(found)
            grains.append(np.full(len(found), grain))
    width = np.concatenate(widths) if widths else np.empty(0)
    grain_of = np.concatenate(grains) if grains else np.empty(0)
    for _ in range(3):
        if len(width):
            middle = float(np.median(width))
            spread = 1.4826 * float(np.median(np.abs(width - middle)))
            kept = np.abs(width - middle) <= 3 * max(spread, 0.05)
            width, grain_of = width[kept], grain_of[kept]
    return PointSpread(width, grain_of)


def _sources(image: Array, saturated: float) -> Array:
    """FWHM in pixels of the sources of one image."""
    sky = measure_sky(image)
    grey = image.mean(axis=0) - float(sky.level.mean())
    noise = max(float(np.std(sky.values.mean(axis=0))), 0.5 / 255)
    h, w = grey.shape
    reach = max(5, h // 10)
    peak = (grey == maximum_filter(grey, size=2 * (reach // 2) + 1)) & (grey > SIGNAL * noise)
    peak &= image.max(axis=0) < saturated
    y, x = np.nonzero(peak[reach : h - reach, reach : w - reach])
    y, x = y + reach, x + reach
    far = np.hypot((2 * y + 1) / h - 1, (2 * x + 1) / w - 1) > CENTRE
    found = []
    for row, column in zip(y[far], x[far], strict=True):
        stamp = grey[row - reach : row + reach + 1, column - reach : column + reach + 1]
        rim = np.concatenate([stamp[0], stamp[-1], stamp[:, 0], stamp[:, -1]])
        width = _width(stamp - float(np.median(rim)), reach) if np.median(rim) < 0.2 * stamp[reach, reach] else None
        if width is not None:
            found.append(FWHM * width)
    return np.array(found)


def _width(stamp: Array, reach: int) -> float | None:
    """Standard deviation of the Gaussian that fits a stamp, or None where it is not round, not compact or wanders."""
    axis = np.arange(-reach, reach + 1.0)
    sigma_x = sigma_y = 1.2
    at_x = at_y = 0.0
    for _ in range(25):
        weight = np.multiply.outer(
            np.exp(-0.5 * ((axis - at_y) / sigma_y) ** 2), np.exp(-0.5 * ((axis - at_x) / sigma_x) ** 2)
        )
        light = stamp * weight
        total = float(light.sum())
        if total <= 0:
            return None
        columns, rows = light.sum(axis=0) / total, light.sum(axis=1) / total
        at_x, at_y = float(columns @ axis), float(rows @ axis)
        xx, yy = float(columns @ (axis - at_x) ** 2), float(rows @ (axis - at_y) ** 2)
        # A Gaussian under a weight of its own width looks narrower by the root of two.
        if max(abs(at_x), abs(at_y)) > 1 or min(xx, yy) <= 0.02 or max(xx, yy) > (reach / 2.5) ** 2 / 2:
            return None
        sigma_x, sigma_y = math.sqrt(2 * xx), math.sqrt(2 * yy)
    return math.sqrt(sigma_x * sigma_y) if max(sigma_x, sigma_y) < ROUND * min(sigma_x, sigma_y) else None

"""How large the pixels of a survey of flux are on the sky, as the WCS of its files say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = ["ALIKE", "Sampling", "Sides", "sampling_of", "sides_of"]

Sides = tuple[float, float]
"""Of a pixel of a cutout, and of the pixel whose flux a number is; arc seconds."""

ALIKE = 1.05
"""Sides whose ratio lies below count as equal: a WCS that leaves out the distortion of a wide field is off by less."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sides of pixels, arc seconds, over the galaxies whose files tell them."""

    galaxies: int
    """So many tell."""
    pixel_arcsec: float
    """Of a pixel of the shards' images; the median."""
    pixel_arcsec_5: float
    """The 5th percentile of it."""
    pixel_arcsec_95: float
    """The 95th."""
    flux_pixel_arcsec: float
    """Of the pixel, of an image as it was read and binned, whose flux a number is; the median."""
    flux_pixel_arcsec_5: float
    """The 5th percentile of it."""
    flux_pixel_arcsec_95: float
    """The 95th."""

    @property
    def one_scale(self) -> bool:
        """Whether pixels of the shards' images are of one size, so that images show one angle."""
        return self.pixel_arcsec_95 < ALIKE * self.pixel_arcsec_5

    @property
    def uniform(self) -> bool:
        """Whether, beside that, numbers are the flux of one area; one angle may have been seen in several samplings."""
        return self.one_scale and self.flux_pixel_arcsec_95 < ALIKE * self.flux_pixel_arcsec_5


def sides_of(pixel_arcsec: float | None, flux_pixel_arcsec: float | None) -> Sides | None:
    """Return the sides to four digits, so that equal ones are counted together, or None where one is not known."""
    if pixel_arcsec is None or flux_pixel_arcsec is None:
        return None
    return float(f"{pixel_arcsec:.4g}"), float(f"{flux_pixel_arcsec:.4g}")


def sampling_of(counts: Iterable[tuple[float, float, int]]) -> Sampling | None:
    """Return what galaxies have in common, from sides and how many galaxies have them; None of no galaxies."""
    pixels: Counter[float] = Counter()
    flux_pixels: Counter[float] = Counter()
    for pixel, flux_pixel, count in counts:
        pixels[pixel] += count
        flux_pixels[flux_pixel] += count
    galaxies = pixels.total()
    return Sampling(galaxies, *_spread(pixels), *_spread(flux_pixels)) if galaxies else None


def _spread(sides: Counter[float]) -> tuple[float, float, float]:
    """Return the median, the 5th and the 95th percentile, to four digits.

    They are those of `np.quantile` (linear between neighbours, type 7 of Hyndman & Fan 1996, The American Statistician
    50, 361) of one number a galaxy, without a row for each of them: there may be 10^9.
    """
    values = np.array(sorted(sides))
    up_to = np.cumsum([sides[value] for value in values.tolist()], dtype=np.int64)
    place = np.array([0.5, 0.05, 0.95]) * (up_to[-1] - 1)
    below = np.floor(place).astype(np.int64)
    # of galaxies in ascending order the one at a place, counted from 0; above is at most the last
    low, high = (values[np.searchsorted(up_to, number, side="right")] for number in (below, np.ceil(place)))
    middle, fifth, last = (float(f"{side:.4g}") for side in low + (place - below) * (high - low))
    return middle, fifth, last

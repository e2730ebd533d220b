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

    @property
    def uniform(self) -> bool:
        """Whether the images have one scale."""
        return self.pixel_arcsec_95 < ALIKE * self.pixel_arcsec_5


def sides_of(pixel_arcsec: float | None, flux_pixel_arcsec: float | None) -> Sides | None:
    """Return the sides to four digits, so that equal ones are counted together, or None where one is not known."""
    if pixel_arcsec is None or flux_pixel_arcsec is None:
        return None
    return float(f"{pixel_arcsec:.4g}"), float(f"{flux_pixel_arcsec:.4g}")


def sampling_of(counts: Iterable[tuple[float, float, int]]) -> Sampling | None:
    """Return what galaxies have in common, from sides and how many galaxies have them; None of no galaxies."""
    total: Counter[Sides] = Counter()
    for pixel, flux_pixel, count in counts:
        total[pixel, flux_pixel] += count
    if not total:
        return None
    sides = np.repeat(np.array(list(total)), list(total.values()), axis=0)
    low, middle, high = (float(f"{side:.4g}") for side in np.quantile(sides[:, 0], (0.05, 0.5, 0.95)))
    return Sampling(len(sides), middle, low, high, float(f"{np.median(sides[:, 1]):.4g}"))

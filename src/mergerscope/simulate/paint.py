"""Points of light onto pixels, each with its own width: tails come out smooth and nuclei sharp."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, irfft2, next_fast_len, rfft2
from scipy.special import erf

from mergerscope.simulate.mergers import Merger

__all__ = ["paint", "paint_tidal", "splat"]

Array = NDArray[Any]

SHARPEST = 0.35
"""Narrowest Gaussian, pixels: what is sharper is left to the telescope's blur."""
RATIO = math.sqrt(2)
"""From one width to the next; a point between two is shared."""
BROADEST = 1 / 20
"""Widest Gaussian, as a fraction of the field."""


def paint(merger: Merger, size: int, kpc_per_pixel: float) -> Array:
    """Paint an encounter's old and young stars.

    Args:
        merger: from `mergerscope.simulate.mergers.follow`.
        size: pixels a side.
        kpc_per_pixel: scale.

    Returns:
        (2, size, size): old and young r-band light; together they hold the share of the encounter's light that
        falls inside the field. Row 0 is the lowest y.
    """
    return splat(merger.position_kpc, np.stack([merger.old, merger.young]), merger.width_kpc, size, kpc_per_pixel)


def paint_tidal(merger: Merger, size: int, kpc_per_pixel: float) -> Array:
    """Paint, as `paint` does, only what has been torn out of both galaxies: (size, size), old and young together."""
    torn = merger.tidal
    light = (merger.old + merger.young)[None, torn]
    return np.asarray(splat(merger.position_kpc[torn], light, merger.width_kpc[torn], size, kpc_per_pixel)[0])


def splat(position_kpc: Array, light: Array, width_kpc: Array, size: int, kpc_per_pixel: float) -> Array:
    """Lay Gaussians of unequal width onto a grid.

    Widths are rounded to a ladder of `RATIO` by sharing a point's light between two rungs such that its variance is
    kept; all points of a rung are convolved together, with Gaussians integrated over the pixels. Points are laid down
    by cloud in cell, which adds up to a quarter of a square pixel to the variance.

    Args:
        position_kpc: (N, 2) from the field's centre.
        light: (M, N), M maps at once.
        width_kpc: (N,) standard deviations; below `SHARPEST` pixels and above `BROADEST` of the field they are cut.
        size: pixels a side.
        kpc_per_pixel: scale.

    Returns:
        (M, size, size).
    """
    broadest = max(BROADEST * size, 2 * SHARPEST)
    margin = math.ceil(4.5 * broadest) + 2
    grid = next_fast_len(size + 2 * margin, real=True)
    place = position_kpc / kpc_per_pixel + (size - 1) / 2 + margin
    inside = np.all((place >= 0) & (place < grid - 1), axis=1)
    place, light = place[inside], light[:, inside]
    width = np.clip(width_kpc[inside] / kpc_per_pixel, SHARPEST, broadest) / SHARPEST
    lower = np.floor(np.log(width) / math.log(RATIO)).astype(int)
    share = np.clip((width**2 / RATIO ** (2.0 * lower) - 1) / (RATIO**2 - 1), 0, 1)
    corner = np.floor(place).astype(int)
    fraction = place - corner
    spectrum = np.zeros((len(light), grid, grid // 2 + 1), dtype=complex)
    for level in range(int(lower.max(initial=-1)) + 2):
        weight = np.where(lower == level, 1 - share, np.where(lower == level - 1, share, 0.0))
        chosen = weight > 0
        if not chosen.any():
            continue
        maps = _deposit(corner[chosen], fraction[chosen], light[:, chosen] * weight[chosen], grid)
        transfer = _gaussian_transfer(SHARPEST * RATIO**level, grid)
        spectrum += rfft2(maps) * transfer[:, None] * transfer[: grid // 2 + 1]
    painted = irfft2(spectrum, s=(grid, grid))[:, margin : margin + size, margin : margin + size]
    # a Fourier transform leaves rounding errors below zero
    return np.asarray(np.maximum(painted, 0.0))


def _gaussian_transfer(sigma: float, grid: int) -> Array:
    """Fourier transform, (grid,), of a Gaussian that is integrated over each pixel: its image is nowhere negative."""
    edges = (np.arange(grid + 1) - 0.5 - grid // 2) / (math.sqrt(2) * sigma)
    return np.asarray(fft(np.roll(0.5 * np.diff(erf(edges)), -(grid // 2))).real)


def _deposit(corner: Array, fraction: Array, light: Array, grid: int) -> Array:
    """Share each point among its four nearest pixels (cloud in cell): (M, grid, grid)."""
    maps = np.zeros((len(light), grid * grid))
    for dx in (0, 1):
        for dy in (0, 1):
            part = np.abs(1 - dx - fraction[:, 0]) * np.abs(1 - dy - fraction[:, 1])
            pixel = (corner[:, 1] + dy) * grid + corner[:, 0] + dx
            for row, values in zip(maps, light, strict=True):
                row += np.bincount(pixel, part * values, grid * grid)
    return maps.reshape(-1, grid, grid)

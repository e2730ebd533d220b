"""One galaxy's flux to one cutout: bands in order, bin, take the central square, fill what was not observed, scale.

A pixel of the result holds the flux of one pixel of the image as it was read (after binning), averaged over the area
that it covers: scaling keeps the surface brightness, as it does for a picture, and not the sum over the pixels. So one
stretch suits every `shard.size`. Binning sums: its pixels are four times as bright and so is the unit's area.

Small holes are filled from around them before the filter, which would ring at their edges; a pixel of the result of
which less than half was observed is 0, as the sky is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mergerscope.shards.cutout import SMALLEST
from mergerscope.shards.fill import fill
from mergerscope.shards.resample import ONE, axis_weights
from mergerscope.survey.flux.image import FluxImage, FluxSpec, Planes
from mergerscope.survey.records import ImageRefusedError

__all__ = ["FluxCutout", "FluxPacking", "make_flux_cutout"]

BRIGHTEST = 1e20
"""No pixel holds as much, in any unit: it is a mark for what was not observed, or damage. Sums of it would overflow."""

HALF = 0.5 - 1e-6
"""Share of a pixel's weights; what lies just at the half may come out on either side."""


@dataclass(frozen=True, slots=True)
class FluxPacking:
    """How the flux of a survey is packed."""

    spec: FluxSpec
    """Its bands and unit."""
    fill: bool
    """Whether a missing band becomes a plane of zeros; else its galaxy is refused."""
    binning: int
    """1, or 2 for sums of 2 x 2 pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class FluxCutout:
    """What a sample holds of a galaxy."""

    planes: Planes
    """(C, size, size) float32, C-contiguous, all finite; 0 where less than half was observed."""
    masked_fraction: float
    """Share of the square's pixels that were not observed, in the bands that are there."""
    missing_bands: tuple[str, ...]
    """Bands of which the square has nothing."""
    pixel_arcsec: float | None
    """Side of a pixel on the sky, where it is known."""
    flux_pixel_arcsec: float | None
    """Side of the pixel, of the image as it was read and binned, whose flux a number is."""


def make_flux_cutout(image: FluxImage, packing: FluxPacking, crop: float, size: int) -> FluxCutout:
    """Cut the centre out of an image and scale it with a Lanczos filter.

    Args:
        image: as it was read.
        packing: bands, unit, binning, and what becomes of missing bands.
        crop: side of the central square as a fraction of the shorter side, in 0...1.
        size: pixels a side of the result.

    Raises:
        ImageRefusedError: ``unit``, ``missing-band``, ``all-masked`` or ``too-small``.
    """
    spec = packing.spec
    if image.unit != spec.unit:
        raise ImageRefusedError("unit", f"its pixels are in units of {image.unit}; the survey's are {spec.unit}")
    planes = _binned(image.planes, packing.binning)
    _, height, width = planes.shape
    side = crop * min(height, width)
    if side < SMALLEST * size:
        raise ImageRefusedError(
            "too-small",
            f"{width} x {height} pixels leave {side:.1f} after shard.crop; shard.size {size} needs {size * SMALLEST:g}",
        )
    top, left = (height - side) / 2, (width - side) / 2
    inside = (slice(int(top), -int(-(top + side) // 1)), slice(int(left), -int(-(left + side) // 1)))
    observed = np.abs(planes) < BRIGHTEST  # and no NaN
    there = [band for band, seen in zip(image.bands, observed, strict=True) if seen[inside].any()]
    if not there:
        raise ImageRefusedError("all-masked", "no pixel of the central square was observed in any band")
    missing = tuple(band for band in spec.bands if band not in there)
    if (missing and not packing.fill) or len(missing) == len(spec.bands):
        raise ImageRefusedError("missing-band", f"lacks {', '.join(missing)}; it has {', '.join(there)}")
    channels = [image.bands.index(band) for band in spec.bands if band in there]
    seen = observed[channels]
    row_range, rows = _axis(height, top, top + side, size)
    column_range, columns = _axis(width, left, left + side, size)
    used = (slice(None), row_range, column_range)
    result = np.zeros((len(spec.bands), size, size), np.float32)
    places = [place for place, band in enumerate(spec.bands) if band in there]
    scaled = rows @ fill(planes[channels][used], seen[used]) @ columns.T
    if not seen[used].all():
        scaled = np.where(rows @ seen[used].astype(np.float32) @ columns.T >= HALF, scaled, np.float32(0))
    result[places] = scaled
    flux_pixel = None if image.pixel_arcsec is None else packing.binning * image.pixel_arcsec
    pixel = None if flux_pixel is None else flux_pixel * side / size
    return FluxCutout(result, round(1 - float(seen[:, *inside].mean()), 6), missing, pixel, flux_pixel)


@lru_cache(maxsize=32)
def _axis(length: int, low: float, high: float, size: int) -> tuple[slice, npt.NDArray[np.float32]]:
    """Return which pixels of an axis the filter reads, and its weights (size, as many)."""
    weights = axis_weights(length, low, high, size) / np.float32(ONE)
    used = np.flatnonzero(weights.any(axis=0))
    inside = slice(int(used[0]), int(used[-1]) + 1)
    return inside, np.ascontiguousarray(weights[:, inside])


def _binned(planes: Planes, binning: int) -> Planes:
    """Return sums of ``binning`` x ``binning`` pixels; an odd row or column at the end is left out.

    The sum is over the observed pixels, scaled to all of them: a square is unobserved only where all of it is.
    """
    if binning == 1:
        return planes
    channels, height, width = (length // binning for length in planes.shape)
    if not height or not width:
        raise ImageRefusedError("too-small", f"{planes.shape[2]} x {planes.shape[1]} pixels cannot be binned")
    channels = len(planes)
    squares = planes[:, : height * binning, : width * binning].reshape(channels, height, binning, width, binning)
    seen = np.abs(squares) < BRIGHTEST
    count = seen.sum(axis=(2, 4))
    total = np.where(seen, squares, 0).sum(axis=(2, 4), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        mean: Planes = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    return mean * np.float32(binning**2)

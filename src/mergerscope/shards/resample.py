"""Lanczos resampling as banded matrix products, in whole numbers.

A row of the result is a weighted sum of a few rows of the image, so one pass over an axis is a product with a
banded matrix. The band is cut into blocks of sixteen outputs, each a small dense product that BLAS runs at full
vector speed: some four times as fast as Pillow's scalar loop, for the same filter.

Floating-point sums depend on their order, hence on the machine and on the number of threads, and shards must come
out equal to the byte. So weights are whole multiples of 1/4096 and the image between the two passes is kept in
quarters of a grey level. The absolute weights of an output sum to less than 1.5, so each partial sum is a whole number
of at most 255 * 1.5 * 4 * 1.5 * 4096 < 2^24, which float32 holds exactly, in whatever order it is added.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["ONE", "Lanczos", "axis_weights", "lanczos"]

Matrix = npt.NDArray[np.float32]

LOBES = 3
ONE = 4096  # a weight of 1
QUARTERS = 4  # steps a grey level between the passes
CACHED_PIXELS = 2**21
BLOCK = 16  # outputs a product: larger ones multiply more zeros, smaller ones pay more calls


class Band(NamedTuple):
    """Weights of the outputs ``first:last``, which read the inputs ``low:high`` and nothing else."""

    first: int
    last: int
    low: int
    high: int
    weights: Matrix  # (last - first, high - low), whole multiples of 1/4096, times 4096


class Lanczos:
    """Cuts one box out of images of one size and scales it to ``size x size``.

    Keeps work arrays between calls, so an object serves one thread. `lanczos` hands out cached ones.
    """

    def __init__(self, shape: tuple[int, int], box: tuple[float, float, float, float], size: int) -> None:
        """Prepare for images of ``shape`` (H, W) and the ``box`` top, left, bottom, right.

        Edges of pixels lie at whole numbers. The box must lie in the image; pixels just outside the box take part in
        the filter, as in ``PIL.Image.resize(box=)``.
        """
        top, left, bottom, right = box
        self.size = size
        self._row_bands = row_bands = _bands(shape[0], top, bottom, size)
        self._columns, column_bands = _cropped(_bands(shape[1], left, right, size))
        self._column_bands = [band._replace(weights=np.ascontiguousarray(band.weights.T)) for band in column_bands]
        width = self._columns.stop - self._columns.start
        self._stripe = np.empty((max(band.high - band.low for band in row_bands), width, 3), np.float32)
        self._mixed = np.empty((size, width * 3), np.float32)
        self._planes = np.empty((3, size, width), np.float32)
        self._result = np.empty((3 * size, size), np.float32)

    def __call__(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return uint8 (3, size, size) of the uint8 (H, W, 3) ``image``."""
        for band in self._row_bands:
            stripe = self._stripe[: band.high - band.low]
            stripe[...] = image[band.low : band.high, self._columns]
            np.matmul(band.weights, stripe.reshape(len(stripe), -1), out=self._mixed[band.first : band.last])

        mixed = self._mixed.reshape(self.size, -1, 3).transpose(2, 0, 1)
        np.multiply(mixed, np.float32(QUARTERS / ONE), out=self._planes)
        np.rint(self._planes, out=self._planes)

        planes = self._planes.reshape(3 * self.size, -1)
        for band in self._column_bands:
            np.matmul(planes[:, band.low : band.high], band.weights, out=self._result[:, band.first : band.last])
        np.multiply(self._result, np.float32(1 / (ONE * QUARTERS)), out=self._result)
        np.rint(self._result, out=self._result)
        self._result.clip(0, 255, out=self._result)
        return self._result.astype(np.uint8).reshape(3, self.size, self.size)


def lanczos(shape: tuple[int, int], box: tuple[float, float, float, float], size: int) -> Lanczos:
    """Return the `Lanczos` of these arguments, made anew only when it is not at hand."""
    # The work arrays of very large images are not worth keeping: they take longer to decode than to make.
    return _cached(shape, box, size) if shape[0] * shape[1] <= CACHED_PIXELS else Lanczos(shape, box, size)


@lru_cache(maxsize=16)
def _cached(shape: tuple[int, int], box: tuple[float, float, float, float], size: int) -> Lanczos:
    return Lanczos(shape, box, size)


def axis_weights(length: int, low: float, high: float, size: int) -> Matrix:
    """Return (size, length) weights that scale the stretch ``low...high`` of ``length`` pixels, in units of 1/ONE.

    They are whole numbers, each row of them sums to ``ONE``, and where nothing is scaled they are ``ONE`` and 0.
    """
    step = (high - low) / size
    stretch = max(step, 1.0)  # shrinking widens the filter: that is what makes it antialiased
    centres = low + (np.arange(size) + 0.5) * step
    distance = (np.arange(length)[None, :] + 0.5 - centres[:, None]) / stretch
    kernel = np.where(np.abs(distance) < LOBES, np.sinc(distance) * np.sinc(distance / LOBES), 0.0)
    whole = np.rint(kernel / kernel.sum(axis=1, keepdims=True) * ONE)
    # Each row must sum to one, or a flat image would not stay flat: its largest weight takes what rounding left.
    largest = whole.argmax(axis=1)
    whole[np.arange(size), largest] += ONE - whole.sum(axis=1)
    weights: Matrix = whole.astype(np.float32)
    return weights


def _bands(length: int, low: float, high: float, size: int) -> list[Band]:
    weights = axis_weights(length, low, high, size)
    bands = []
    for first in range(0, size, BLOCK):
        block = weights[first : first + BLOCK]
        used = np.flatnonzero(block.any(axis=0))
        start, stop = int(used[0]), int(used[-1]) + 1
        bands.append(Band(first, first + len(block), start, stop, np.ascontiguousarray(block[:, start:stop])))
    return bands


def _cropped(bands: list[Band]) -> tuple[slice, list[Band]]:
    """Return the inputs that any band reads, and the bands counted from their first."""
    start, stop = min(band.low for band in bands), max(band.high for band in bands)
    moved = [band._replace(low=band.low - start, high=band.high - start) for band in bands]
    return slice(start, stop), moved

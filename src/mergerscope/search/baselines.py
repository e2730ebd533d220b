"""What is tried before any learning: the pixels themselves, and their principal components."""

from __future__ import annotations

from typing import Any

import numpy as np

from mergerscope.search.moments import pool_moments
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import map_blocks

__all__ = ["pca_pixels", "rgb_pixels"]

Array = np.ndarray[Any, Any]

RGB_SIDE = 32
"""Pixels a side that the RGB baseline keeps."""

PCA_COMPONENTS = 64
"""Principal components that the PCA baseline keeps."""


def rgb_pixels(images: Array, side: int = RGB_SIDE) -> Array:
    """Return the pixels as embeddings: (N, C, H, W) float32 in 0...1 to float32 (N, C * side * side).

    Each new pixel is the mean over its area; edges that fall inside an old pixel share it out. Images smaller than
    ``side`` stay as they are.
    """
    count, channels, height, width = images.shape
    down, across = _area_weights(height, min(side, height)), _area_weights(width, min(side, width))
    small = np.einsum("oh,nchw,pw->ncop", down, images, across, optimize=True)
    return np.asarray(small.reshape(count, channels * len(down) * len(across)))


def pca_pixels(pixels: EmbeddingStore, components: int = PCA_COMPONENTS) -> EmbeddingStore:
    """Return the leading principal components of pixel embeddings as a store in memory, float16.

    Args:
        pixels: what `rgb_pixels` made of the survey.
        components: at most this many, and no more than galaxies or pixels.
    """
    moments = pool_moments(pixels)
    leading = moments.axes[1][:, ::-1][:, : min(components, pixels.size, pixels.dim)]
    # The sign of an eigenvector is arbitrary; fix it, so that the same survey gives the same numbers.
    leading = leading * np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(leading.shape[1])])
    weights = leading.astype(np.float32)
    mean = moments.mean.astype(np.float32)
    blocks = list(map_blocks(pixels, lambda start, block: ((block.numpy() - mean) @ weights).astype(np.float16)))
    return EmbeddingStore.from_array(pixels.ids, np.concatenate(blocks))


def _area_weights(old: int, new: int) -> Array:
    """(new, old) float32: share of each old pixel in each new one, rows summing to 1."""
    edges = np.arange(new + 1) * old / new
    left, right = edges[:-1, None], edges[1:, None]
    cell = np.arange(old)[None]
    overlap = np.clip(np.minimum(right, cell + 1) - np.maximum(left, cell), 0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), dtype=np.float32)

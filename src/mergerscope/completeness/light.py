"""The light that mergers are painted into: a picture's displayed values, or flux while it is still linear.

Shapes: C channels (of flux those that its stretch shows), H x W pixels. In both 1 is white: of flux what faint light's
slope would bring to white, so that every number that was chosen for pictures means the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mergerscope.shards.sample import Pixels
from mergerscope.survey.stretch import FluxStretch

__all__ = ["as_light", "with_light"]

Array = NDArray[Any]


def as_light(image: Pixels, stretch: FluxStretch | None) -> Array:
    """Return the light (C, H, W) of an image as the shards hold it; ``stretch`` is None for a picture."""
    if stretch is None:
        return np.asarray(image / 255)
    shown = stretch.select(image)
    return np.asarray(shown / stretch.unit_light(shown), np.float64)


def with_light(image: Pixels, light: Array, stretch: FluxStretch | None) -> Pixels:
    """Return an image like ``image`` that holds the light (C, H, W); bands that are not shown keep theirs."""
    if stretch is None:
        return np.round(255 * np.clip(light, 0, 1)).astype(np.uint8)
    unit = stretch.unit_light(stretch.select(image))
    changed = image.astype(np.float32)
    changed[[stretch.bands.index(band) for band in stretch.shown]] = light * unit
    return changed

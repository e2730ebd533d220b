"""What was not observed, filled from around it, so that a filter does not see an edge.

A Lanczos filter rings at a step, and a hole of zeros in a galaxy is one. The holes are filled by pull and push (Gortler
et al. 1996, doi:10.1145/237170.237200): means over squares of 2 x 2 observed pixels make an image of half the size,
whose own holes are filled likewise, and its pixels fill those of the first. No value lies outside of those that were
observed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mergerscope.survey.flux.image import Planes

__all__ = ["fill"]


def fill(planes: Planes, seen: npt.NDArray[np.bool_]) -> Planes:
    """Return planes (C, H, W) with what was not ``seen`` (C, H, W) filled; a plane of which nothing was is 0."""
    if seen.all():
        return planes
    channels, height, width = planes.shape
    if height == width == 1:
        return np.where(seen, planes, np.float32(0))
    even = ((0, 0), (0, height % 2), (0, width % 2))
    squares = (channels, (height + 1) // 2, 2, (width + 1) // 2, 2)
    known = np.pad(seen, even).reshape(squares)
    light = np.pad(np.where(seen, planes, np.float32(0)), even).reshape(squares)
    count = known.sum(axis=(2, 4))
    mean = (light.sum(axis=(2, 4)) / np.maximum(count, 1)).astype(np.float32)
    around = fill(mean, count > 0).repeat(2, axis=1).repeat(2, axis=2)[:, :height, :width]
    return np.where(seen, planes, around)

"""Images as the shards hold them, brought to what networks and eyes see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mergerscope.params import Params
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.sample import Pixels
from mergerscope.survey.stretch import FluxStretch

__all__ = ["shown", "shown_bytes", "stretch_of"]


def stretch_of(params: Params, manifest: Manifest) -> FluxStretch | None:
    """Return the stretch of the flux in the shards; None where they hold pictures.

    Raises:
        ParameterError: the stretch that the parameters name does not fit the bands or the unit of the shards.
    """
    return None if manifest.dtype == "uint8" else FluxStretch.of(params.flux, manifest.bands, manifest.unit)


def shown(images: Pixels, stretch: FluxStretch | None) -> npt.NDArray[np.float32]:
    """Return images (..., C, H, W), uint8 or float32 flux, as float32 in 0...1."""
    if stretch is None:
        return np.asarray(images.astype(np.float32) / 255, np.float32)
    seen: npt.NDArray[np.float32] = stretch(images)
    return seen


def shown_bytes(images: Pixels, stretch: FluxStretch | None) -> npt.NDArray[np.uint8]:
    """Return images (..., C, H, W) as uint8: pictures as they are, flux stretched."""
    if stretch is None:
        return images.astype(np.uint8, copy=False)
    return np.asarray(np.rint(255 * stretch(images)), np.uint8)

"""A field as the pictures that people vote on: stretched, brought to the cutout's size, and compressed."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mergerscope.simulate.scene import Scene
from mergerscope.survey.stretch import STRETCHES, lupton_rgb

__all__ = ["JPEG_QUALITY", "jpeg", "picture"]

FRAME_QUALITY = 75
"""The cutout service keeps its colour frames as JPEG, and resamples those."""
REGISTRATION = 0.10
"""Share of the light that registering the bands moves to each neighbouring pixel of a row or column."""
JPEG_QUALITY = 75
"""Of Galaxy Zoo's files: libjpeg's standard tables at 75, chroma at half the resolution."""


def picture(scene: Scene, side_px: int) -> NDArray[np.uint8]:
    """Show a field as the survey's cutout service does, (side_px, side_px, 3), before the last compression.

    Frames are stretched in the survey's own pixels; a cutout is those colours resampled (linearly), so that small
    galaxies look soft and their noise is correlated over several pixels.
    """
    stretch = STRETCHES[scene.night.survey.name]
    names = [band.name for band in scene.night.survey.bands]
    # the stretch is set for light in a native pixel
    per_pixel = (scene.night.pixel_arcsec / scene.night.survey.pixel_arcsec) ** 2
    shown = scene.flux[[names.index(band) for band in stretch.bands]] / np.float32(per_pixel)
    shown = _registered(shown)
    frame = _compressed(lupton_rgb(shown, stretch), FRAME_QUALITY)
    middle, half = frame.width / 2, scene.field_px / 2
    box = (middle - half, middle - half, middle + half, middle + half)
    return np.asarray(frame.resize((side_px, side_px), Image.Resampling.BILINEAR, box=box))


def jpeg(pixels: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> bytes:
    """Return a picture (H, W, 3) as the bytes of a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _registered(flux: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bands are brought onto common pixels by linear interpolation, which smooths them a little."""
    for axis in (1, 2):
        flux = (1 - 2 * REGISTRATION) * flux + REGISTRATION * (np.roll(flux, 1, axis) + np.roll(flux, -1, axis))
    return flux


def _compressed(pixels: NDArray[np.uint8], quality: int) -> Image.Image:
    with Image.open(io.BytesIO(jpeg(pixels, quality))) as image:
        image.load()
        return image.convert("RGB")

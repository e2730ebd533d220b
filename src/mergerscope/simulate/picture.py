"""A field as the pictures that people vote on: stretched, brought to the cutout's size, and compressed."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mergerscope.simulate.scene import Scene
from mergerscope.survey.stretch import STRETCHES, lupton_rgb

__all__ = ["JPEG_QUALITY", "jpeg", "picture"]

FRAME_QUALITY = (92, 60)
"""Of brightness and of colour: the cutout service keeps its frames as JPEG, and resamples those."""
OFF_CENTRE_PX = 0.6
"""Native pixels by which galaxies stand right of and below the middle of their cutouts."""
REGISTRATION = 0.118
"""Share of the light that registering the bands moves to each neighbouring pixel of a row or column."""
JPEG_QUALITY = 75
"""Of Galaxy Zoo's files: libjpeg's standard tables at 75, chroma at half the resolution."""


def picture(scene: Scene, side_px: int) -> NDArray[np.uint8]:
    """Show a field as the survey's cutout service does, (side_px, side_px, 3), before the last compression.

    Frames are stretched in the survey's own pixels; a cutout is those colours resampled (bicubic), so that small
    galaxies look soft and their noise is correlated over several pixels.
    """
    stretch = STRETCHES[scene.night.survey.name]
    names = [band.name for band in scene.night.survey.bands]
    # the stretch is set for light in a native pixel
    per_pixel = (scene.night.pixel_arcsec / scene.night.survey.pixel_arcsec) ** 2
    shown = scene.flux[[names.index(band) for band in stretch.bands]] / np.float32(per_pixel)
    shown = _registered(shown)
    frame = _frame(lupton_rgb(shown, stretch))
    # the service puts an object's place not quite at the middle: measured on Galaxy Zoo's files
    middle, half = frame.width / 2 - OFF_CENTRE_PX, scene.field_px / 2
    box = (middle - half, middle - half, middle + half, middle + half)
    return np.asarray(frame.resize((side_px, side_px), Image.Resampling.BICUBIC, box=box))


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


def _frame(pixels: NDArray[np.uint8]) -> Image.Image:
    buffer = io.BytesIO()
    tables = [_tables(quality)[kind] for kind, quality in enumerate(FRAME_QUALITY)]
    Image.fromarray(pixels).save(buffer, "JPEG", qtables=tables, subsampling="4:2:0")
    with Image.open(buffer) as image:
        image.load()
        return image.convert("RGB")


@cache
def _tables(quality: int) -> dict[int, list[int]]:
    """The quantisation tables of libjpeg at a quality: 0 of brightness, 1 of colour."""
    with Image.open(io.BytesIO(jpeg(np.zeros((8, 8, 3), np.uint8), quality))) as image:
        return {kind: list(table) for kind, table in image.quantization.items()}  # type: ignore[attr-defined]

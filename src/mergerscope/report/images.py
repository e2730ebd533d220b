"""Pictures of galaxies: arrays to PNG, and many of them on one sheet."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mergerscope.report.style import NIGHT

__all__ = ["as_picture", "data_uri", "png_bytes", "save_sheet", "sheet", "thumbnail"]

Pixels = np.ndarray
MAX_SIDE = 192
"""Pixels a side of a picture on the page at most: sharp at the size it is shown, and the page stays small."""


def as_picture(image: Pixels) -> Pixels:
    """Turn a cutout (C, H, W) uint8, red first, into (H, W, 3) uint8.

    One channel is shown as grey, two as red and blue with their mean between, more than three by the first, the middle
    and the last.
    """
    if len(image) == 2:
        between = ((image[0].astype(np.uint16) + image[1]) // 2).astype(np.uint8)
        channels = np.stack([image[0], between, image[1]])
    else:
        channels = image[[0, len(image) // 2, -1]]
    return np.ascontiguousarray(channels.transpose(1, 2, 0))


def thumbnail(image: Pixels, side: int = MAX_SIDE) -> Pixels:
    """Like `as_picture`, reduced to ``side`` pixels where it is larger."""
    picture = as_picture(image)
    if max(picture.shape[:2]) <= side:
        return picture
    small = Image.fromarray(picture)
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(small)


def png_bytes(picture: Pixels) -> bytes:
    """Encode (H, W, 3 or 4) uint8 as PNG; equal pixels give equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def data_uri(png: bytes) -> str:
    """A PNG as a URI that needs no file and no network."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def sheet(rows: Sequence[Sequence[Pixels]], gap: int = 4) -> Pixels:
    """Lay pictures of one size, (H, W, 3), out in rows on a transparent ground.

    Returns:
        (H', W', 4) uint8 with alpha 0 in the gaps, so that the page shows through.
    """
    side_y, side_x = rows[0][0].shape[:2]
    columns = max(len(row) for row in rows)
    shape = (len(rows) * (side_y + gap) - gap, columns * (side_x + gap) - gap, 4)
    canvas = np.zeros(shape, np.uint8)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            y, x = r * (side_y + gap), c * (side_x + gap)
            canvas[y : y + side_y, x : x + side_x, :3] = picture
            canvas[y : y + side_y, x : x + side_x, 3] = 255
    return canvas


def save_sheet(pictures: Sequence[Pixels], path: Path, columns: int = 8) -> None:
    """Write pictures as one PNG on a dark ground, ``columns`` a row."""
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    laid = Image.fromarray(sheet(rows))
    ground = Image.new("RGBA", laid.size, NIGHT["sky"])
    ground.alpha_composite(laid)
    path.write_bytes(png_bytes(np.asarray(ground.convert("RGB"))))

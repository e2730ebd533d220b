"""Whether the bytes that came are the cutout that was asked for."""

from __future__ import annotations

import io
import threading
import warnings
from typing import Any

import numpy as np
from astropy.io import fits

from mergerscope.fetch.request import Cutouts
from mergerscope.fetch.trouble import FetchError
from mergerscope.survey.decode import JPEG_MAGIC, decode_rgb
from mergerscope.survey.records import ImageRefusedError

__all__ = ["check_cutout"]

FITS_MAGIC = b"SIMPLE  ="
FITS_BLOCK = 2880
PAGE = 500
"""Bytes of a page for people that are told: its title, mostly."""

# astropy tells of damage by warnings too, and catching them is not safe in several threads at once.
_one_at_a_time = threading.Lock()


def check_cutout(data: bytes, asked: Cutouts) -> None:
    """Refuse what is not whole, or not the bands and size that were asked for.

    Raises:
        FetchError: the reasons are in `mergerscope.fetch.trouble`. A damaged file is worth another attempt; a good
            file of something else is not.
    """
    if not data:
        raise FetchError("empty", "an answer of no bytes", again=True)
    if asked.file_format == "fits":
        _check_fits(data, asked)
    else:
        _check_jpeg(data, asked)


def _check_fits(data: bytes, asked: Cutouts) -> None:
    if not data.startswith(FITS_MAGIC):
        raise FetchError("not-fits", f"begins with {_beginning(data)}", again=True)
    if len(data) % FITS_BLOCK:
        raise FetchError("truncated", f"{len(data)} bytes are no whole number of FITS blocks", again=True)
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with fits.open(io.BytesIO(data), memmap=False, lazy_load_hdus=False) as file:
                header, pixels = file[0].header, file[0].data
        # What astropy raises at damaged headers and data is not documented, and is of many kinds.
        except Exception as error:
            raise FetchError("corrupt-image", f"{type(error).__name__}: {error}", again=True) from None
    if pixels is None or header.get("OVERLAP") is False:
        raise FetchError("no-coverage", f"{asked.layer} has no image here", again=False)
    planes = 1 if pixels.ndim == 2 else pixels.shape[0]
    bands = str(header.get("BANDS", asked.bands if planes == len(asked.bands) else f"{planes} planes"))
    if bands != asked.bands or planes != len(asked.bands):
        text = f"asked for {asked.bands}, got {bands}; {asked.layer} may lack one"
        raise FetchError("wrong-bands", text, again=False)
    _check_pixels(pixels, asked)


def _check_jpeg(data: bytes, asked: Cutouts) -> None:
    if not data.startswith(JPEG_MAGIC):
        raise FetchError("not-jpeg", f"begins with {_beginning(data)}", again=True)
    try:
        pixels = decode_rgb(data)
    except ImageRefusedError as refused:
        raise FetchError(refused.reason, refused.detail, again=True) from None
    _check_pixels(pixels.transpose(2, 0, 1), asked)


def _check_pixels(pixels: np.ndarray[Any, Any], asked: Cutouts) -> None:
    """Check (C, H, W) or (H, W) pixels."""
    height, width = pixels.shape[-2:]
    if (height, width) != (asked.size, asked.size):
        raise FetchError("wrong-size", f"asked for {asked.size} pixels a side, got {width} x {height}", again=False)
    # Outside of a layer the service paints one value, 0 or black; a galaxy has noise around it.
    with np.errstate(invalid="ignore"):
        blank = not np.isfinite(pixels).any() or np.nanmin(pixels) == np.nanmax(pixels)
    if blank:
        raise FetchError("no-coverage", f"{asked.layer} has no light here: all pixels are equal", again=False)


def _beginning(data: bytes) -> str:
    return ascii(" ".join(data[:PAGE].decode("latin-1").split()))

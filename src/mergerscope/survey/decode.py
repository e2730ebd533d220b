"""Bytes of an image file to display-ready RGB pixels, or the reason why not.

What becomes of each kind:

- JPEG, colour: decoded; a grey one is expanded to three equal channels; CMYK is converted by Pillow.
- PNG, 8 bits a channel, by its content whatever its name: decoded; grey and palette expanded; an alpha
  channel is dropped where it is opaque everywhere, and refused (``transparent``) where it is not.
- 16-bit PNG and 12-bit JPEG: refused (``bit-depth``), for how to stretch them to 8 bits is not ours to guess.
- FITS: refused (``fits``): flux is read by `flux.fits_file`, and a survey holds one or the other.
- Truncated, damaged, empty, too large, or another format: refused.

EXIF orientation is ignored: pixels stay as stored. Equal bytes always give equal pixels.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from mergerscope.survey.records import ImageRefusedError

__all__ = ["JPEG_MAGIC", "MAX_PIXELS", "ImageRefusedError", "Pixels", "decode_rgb"]

Pixels = npt.NDArray[np.uint8]

MAX_PIXELS = 64 * 2**20
"""Far above any cutout, and 192 MiB once decoded: a file that claims more is a decompression bomb."""

JPEG_MAGIC = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
FITS_MAGIC = b"SIMPLE  ="
PNG_END = b"IEND\xaeB`\x82"
PNG_HEADER = struct.Struct(">8s4s4sIIB")  # magic, length, "IHDR", width, height, bits a channel

PILLOW_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error)


def decode_rgb(data: bytes, min_side: int | None = None) -> Pixels:
    """Decode a JPEG or PNG.

    Args:
        data: the whole file.
        min_side: when given, a JPEG may come back at a half, quarter or eighth of its size (scaled within the
            DCT, which is an antialiased downsample for nothing) as long as its shorter side stays at least this.

    Returns:
        uint8 array of shape (H, W, 3), C-contiguous, channels red, green, blue.

    Raises:
        ImageRefusedError: the file cannot be used; the reasons are in the module's text.
    """
    if not data:
        raise ImageRefusedError("empty-file", "the file has no bytes")
    if data.startswith(JPEG_MAGIC):
        return _decode_jpeg(data, min_side)
    if data.startswith(PNG_MAGIC):
        return _decode_png(data)
    if data.startswith(FITS_MAGIC):
        raise ImageRefusedError(
            "fits", "a FITS file among pictures: a survey holds one or the other, and flux where most rows of its "
            "table name FITS files",
        )  # fmt: skip
    raise ImageRefusedError("not-an-image", f"neither JPEG nor PNG: begins with {data[:12]!r}")


def _decode_jpeg(data: bytes, min_side: int | None) -> Pixels:
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        _check_size(width, height)
        if space in ("CMYK", "YCCK"):
            simplejpeg.decode_jpeg(data, "CMYK")  # for its errors: Pillow lets some truncated files pass
            return _decode_with_pillow(data)  # for its colours: inks may be stored inverted
        factor = _reduction(min(height, width), min_side)
        # strict (the default) turns libjpeg's warnings into errors: without it a truncated file decodes half grey.
        pixels: Pixels = simplejpeg.decode_jpeg(
            data, "RGB", min_height=-(-height // factor), min_width=-(-width // factor)
        )
    except ValueError as error:
        raise _refusal(data, error) from None
    return pixels


def _reduction(side: int, min_side: int | None) -> int:
    # libjpeg-turbo also offers eighths in between, but only these are vectorised: 5/8 is slower than full size.
    if min_side is None:
        return 1
    return next((factor for factor in (8, 4, 2) if -(-side // factor) >= min_side), 1)


def _decode_png(data: bytes) -> Pixels:
    try:
        _, _, chunk, width, height, bits = PNG_HEADER.unpack_from(data)
    except struct.error:
        raise ImageRefusedError("truncated", f"{len(data)} bytes: cut within the PNG header") from None
    if chunk != b"IHDR":
        raise ImageRefusedError("corrupt-image", "a PNG must begin with its IHDR chunk")
    _check_size(width, height)
    if bits > 8:
        raise ImageRefusedError("bit-depth", f"{bits} bits a channel; make it 8, with the stretch you want")
    if PNG_END not in data:
        raise ImageRefusedError("truncated", f"{len(data)} bytes and no IEND chunk at the end")
    return _decode_with_pillow(data)


def _decode_with_pillow(data: bytes) -> Pixels:
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata, which we do not read; sizes were checked before.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
                image.load()
                if image.has_transparency_data:
                    return _without_alpha(np.asarray(image.convert("RGBA")))
                return np.array(image.convert("RGB"))
    except PILLOW_ERRORS as error:
        raise _refusal(data, error) from None


def _without_alpha(pixels: Pixels) -> Pixels:
    if pixels[..., 3].min() < 255:
        raise ImageRefusedError("transparent", "some pixels are see-through; flatten the image onto a background")
    return np.ascontiguousarray(pixels[..., :3])


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ImageRefusedError("too-large", f"claims {width} x {height} pixels; at most {MAX_PIXELS} are decoded")


def _refusal(data: bytes, error: Exception) -> ImageRefusedError:
    text = str(error)
    if "precision" in text:
        return ImageRefusedError("bit-depth", text)
    cut_jpeg = data.startswith(JPEG_MAGIC) and JPEG_END not in data
    if cut_jpeg or "premature end" in text.lower() or "truncated" in text.lower():
        return ImageRefusedError("truncated", f"{len(data)} bytes: {text}")
    return ImageRefusedError("corrupt-image", text)

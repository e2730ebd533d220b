"""Every kind of image file has one decided outcome."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mergerscope.survey.decode import MAX_PIXELS, decode_rgb
from mergerscope.survey.records import ImageRefusedError


def refusal(data: bytes, min_side: int | None = None) -> str:
    with pytest.raises(ImageRefusedError) as caught:
        decode_rgb(data, min_side)
    assert caught.value.detail
    return caught.value.reason


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 200 // width, y * 200 // height, (x + y) * 100 // (height + width)], axis=-1).astype(np.uint8)


def saved(image: Image.Image, file_format: str, **extra: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **extra)  # type: ignore[arg-type]
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


JPEG = saved(Image.fromarray(smooth(120, 160)), "JPEG", quality=92)
PROGRESSIVE = saved(Image.fromarray(smooth(120, 160)), "JPEG", progressive=True)
CMYK = saved(Image.fromarray(smooth(120, 160)).convert("CMYK"), "JPEG")
PNG = saved(Image.fromarray(smooth(30, 40)), "PNG")


@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE], ids=["baseline", "progressive"])
def test_jpeg_is_close_to_what_was_encoded(data: bytes) -> None:
    pixels = decode_rgb(data)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (120, 160, 3)
    assert pixels.flags.c_contiguous
    assert np.abs(pixels.astype(int) - smooth(120, 160)).mean() < 3


def test_png_is_lossless_whatever_its_name_says() -> None:
    np.testing.assert_array_equal(decode_rgb(PNG), smooth(30, 40))


@pytest.mark.parametrize(("min_side", "shorter"), [(121, 120), (120, 120), (61, 120), (60, 60), (31, 60), (30, 30),
                                                   (15, 15), (1, 15)])  # fmt: skip
def test_min_side_never_goes_below(min_side: int, shorter: int) -> None:
    height, width, _ = decode_rgb(JPEG, min_side).shape
    assert height == shorter
    assert width == shorter * 4 // 3


@given(height=st.integers(1, 90), width=st.integers(1, 90), min_side=st.integers(1, 90))
@settings(max_examples=60, deadline=None)
def test_min_side_holds_for_any_shape(height: int, width: int, min_side: int) -> None:
    data = saved(Image.fromarray(smooth(height, width)), "JPEG")
    shape = decode_rgb(data, min_side).shape
    assert min(shape[:2]) >= min(min_side, height, width)


def test_reduced_jpeg_agrees_with_an_average_of_blocks() -> None:
    blocks = decode_rgb(JPEG).reshape(60, 2, 80, 2, 3).mean(axis=(1, 3))
    assert np.abs(decode_rgb(JPEG, 60) - blocks).mean() < 2


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_grey_is_expanded_to_three_equal_channels(file_format: str) -> None:
    pixels = decode_rgb(saved(Image.fromarray(smooth(20, 30)[..., 0]), file_format))
    assert pixels.shape == (20, 30, 3)
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 1])
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])


def test_cmyk_is_converted() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    pixels = decode_rgb(saved(red, "JPEG"), min_side=4)
    assert pixels.shape == (16, 16, 3)
    assert pixels[..., 0].min() > 240
    assert pixels[..., 1:].max() < 15


def test_palette_and_opaque_alpha_become_rgb() -> None:
    picture = Image.fromarray(smooth(8, 8))
    with_alpha = picture.copy()
    with_alpha.putalpha(255)
    np.testing.assert_array_equal(decode_rgb(saved(with_alpha, "PNG")), smooth(8, 8))
    palette = picture.quantize(16)
    np.testing.assert_array_equal(decode_rgb(saved(palette, "PNG")), np.asarray(palette.convert("RGB")))


def test_what_is_see_through_is_refused() -> None:
    ghost = Image.fromarray(smooth(8, 8))
    ghost.putalpha(128)
    assert refusal(saved(ghost, "PNG")) == "transparent"


def test_sixteen_bits_are_refused() -> None:
    grey = Image.fromarray(np.full((8, 8), 40_000, np.uint16))
    assert refusal(saved(grey, "PNG")) == "bit-depth"
    # Pillow would quietly cut 16-bit colour down to 8; it cannot write such a file, so here is one by hand.
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    body = zlib.compress(b"\0" + bytes(12))
    colour = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")
    assert Image.open(io.BytesIO(colour)).convert("RGB").size == (2, 1)
    assert refusal(colour) == "bit-depth"


def test_twelve_bit_jpeg_is_refused() -> None:
    at = JPEG.index(b"\xff\xc0") + 4
    assert refusal(JPEG[:at] + b"\x0c" + JPEG[at + 1 :]) == "bit-depth"


@pytest.mark.parametrize(
    "data", [JPEG, PROGRESSIVE, CMYK, PNG], ids=["baseline", "progressive", "cmyk", "png"]
)
@pytest.mark.parametrize("min_side", [None, 30])
def test_truncated_anywhere_is_refused(data: bytes, min_side: int | None) -> None:
    for keep in (0.1, 0.3, 0.5, 0.8, 0.97):
        assert refusal(data[: int(len(data) * keep)], min_side) in {"truncated", "corrupt-image"}
    assert refusal(data[: len(data) // 2]) == "truncated"


@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE, CMYK], ids=["baseline", "progressive", "cmyk"])
def test_truncated_with_a_false_end_is_refused(data: bytes) -> None:
    assert refusal(data[: len(data) // 2] + b"\xff\xd9") in {"truncated", "corrupt-image"}
    assert refusal(data[:-2]) == "truncated"


@pytest.mark.parametrize(("data", "reason"), [
    (b"", "empty-file"),
    (b"<html>not found</html>", "not-an-image"),
    (b"\0" * 5000, "not-an-image"),
    (b"GIF89a" + bytes(20), "not-an-image"),
    (b"SIMPLE  =                    T", "fits"),
    (b"\xff\xd8\xff", "truncated"),
    (b"\x89PNG\r\n\x1a\n", "truncated"),
    (b"\x89PNG\r\n\x1a\n" + png_chunk(b"tEXt", bytes(30)), "corrupt-image"),
])  # fmt: skip
def test_no_image_at_all(data: bytes, reason: str) -> None:
    assert refusal(data) == reason


def test_decompression_bombs_are_refused_before_they_unpack() -> None:
    side = int(MAX_PIXELS**0.5) + 1
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")
    assert refusal(png) == "too-large"
    at = JPEG.index(b"\xff\xc0") + 5
    assert refusal(JPEG[:at] + struct.pack(">HH", 60_000, 60_000) + JPEG[at + 4 :]) == "too-large"


def test_exif_orientation_is_ignored() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    np.testing.assert_array_equal(
        decode_rgb(saved(Image.fromarray(smooth(30, 40)), "JPEG", exif=turned)),
        decode_rgb(saved(Image.fromarray(smooth(30, 40)), "JPEG")),
    )


@given(seed=st.sampled_from([JPEG, PROGRESSIVE, CMYK, PNG]), flips=st.lists(
    st.tuples(st.integers(0, 9999), st.integers(0, 255)), min_size=1, max_size=8))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_damage_is_refused_and_never_raises_anything_else(seed: bytes, flips: list[tuple[int, int]]) -> None:
    data = bytearray(seed)
    for position, value in flips:
        data[position % len(data)] = value
    with contextlib.suppress(ImageRefusedError):
        pixels = decode_rgb(bytes(data), 16)
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3

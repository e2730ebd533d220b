from __future__ import annotations

import os
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mergerscope.shards.cutout import make_cutout
from mergerscope.survey.decode import decode_rgb
from mergerscope.survey.records import ImageRefusedError


def pillow_cutout(data: bytes, crop: float, size: int) -> np.ndarray:
    """Full decode, then Pillow's Lanczos filter: what reduced decoding is held against."""
    image = Image.open(BytesIO(data)).convert("RGB")
    side = crop * min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS, box=box), np.float64).transpose(2, 0, 1)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one - other) ** 2)))


# 425 is no multiple of 2, 431 none of anything: the reduced image is then not exactly half as wide.
@pytest.mark.parametrize("shape", [(424, 424), (425, 425), (431, 427), (848, 848), (300, 424)])
@pytest.mark.parametrize(("crop", "size"), [(0.75, 96), (0.75, 64), (1.0, 96), (0.5, 96)])
def test_reduced_decoding_loses_nothing(sky: Any, shape: tuple[int, int], crop: float, size: int) -> None:
    data = sky.file(sky.pixels(1, *shape))
    ours, full = make_cutout(data, crop, size), pillow_cutout(data, crop, size)
    assert np.abs(ours - full).mean() < 0.5
    assert np.percentile(np.abs(ours - full), 99.9) <= 4
    assert psnr(ours, full) > 48


def test_reduced_decoding_happens_where_it_should(sky: Any) -> None:
    data = sky.file(sky.pixels(1, 424, 424))
    assert decode_rgb(data, min_side=192).shape == (212, 212, 3)


@pytest.mark.real
def test_reduced_decoding_loses_nothing_of_real_galaxies() -> None:
    folder = os.environ.get("MERGERSCOPE_REAL_DATA")
    if not folder:
        pytest.skip("MERGERSCOPE_REAL_DATA is not set")
    files = list(islice(sorted(Path(folder, "images").glob("*.jpg")), 0, None, 50))
    assert files
    differences, ratios = [], []
    for file in files:
        data = file.read_bytes()
        ours, full = make_cutout(data, 0.75, 96), pillow_cutout(data, 0.75, 96)
        differences.append(np.abs(ours - full))
        ratios.append(psnr(ours, full))
    assert np.mean(differences) < 0.3
    assert np.percentile(differences, 99.9) <= 2
    assert min(ratios) > 49


def test_the_result_is_planes_in_c_order(sky: Any) -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = 10, 20, 30
    cutout = make_cutout(sky.file(pixels, "PNG"), 0.5, 16)
    assert cutout.shape == (3, 16, 16)
    assert cutout.dtype == np.uint8
    assert cutout.flags.c_contiguous
    assert [plane.mean() for plane in cutout] == [10, 20, 30]


@pytest.mark.parametrize("shape", [(100, 160), (160, 100), (101, 161)])
def test_the_square_lies_in_the_middle(sky: Any, shape: tuple[int, int]) -> None:
    pixels = sky.pixels(2, *shape)
    side = min(shape)
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    square = pixels[top : top + side, left : left + side]
    of_all = make_cutout(sky.file(pixels, "PNG"), 0.5, 24)
    np.testing.assert_array_equal(of_all, make_cutout(sky.file(square, "PNG"), 0.5, 24))


def test_the_field_is_the_fraction_asked_for(sky: Any) -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[20:80, 20:80] = 200  # the field at crop 0.6, and nothing else, is bright
    inside = make_cutout(sky.file(pixels, "PNG"), 0.6, 30)
    assert inside[:, 3:-3, 3:-3].min() > 190
    larger = make_cutout(sky.file(pixels, "PNG"), 0.8, 32)
    assert larger[:, 0].max() < 20


@pytest.mark.parametrize(("side", "crop"), [(63, 0.75), (31, 1.0), (8, 1.0)])
def test_a_field_of_fewer_than_half_the_pixels_is_refused(sky: Any, side: int, crop: float) -> None:
    with pytest.raises(ImageRefusedError, match="too-small"):
        make_cutout(sky.file(sky.pixels(3, side, side), "PNG"), crop, 96)


def test_up_to_twice_is_enlarged(sky: Any) -> None:
    assert make_cutout(sky.file(sky.pixels(3, 64, 64), "PNG"), 0.75, 96).shape == (3, 96, 96)

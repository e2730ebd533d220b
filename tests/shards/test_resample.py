from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from threadpoolctl import threadpool_limits

from mergerscope.shards.resample import LOBES, ONE, QUARTERS, Lanczos, axis_weights, lanczos


def slow_kernel(x: float) -> float:
    if x == 0:
        return 1.0
    if abs(x) >= LOBES:
        return 0.0
    return LOBES * math.sin(math.pi * x) * math.sin(math.pi * x / LOBES) / (math.pi * x) ** 2


def slow_axis(length: int, low: float, high: float, size: int) -> np.ndarray:
    """The filter as in the textbook, one weight at a time."""
    step = (high - low) / size
    weights = np.zeros((size, length))
    for output in range(size):
        centre = low + (output + 0.5) * step
        for pixel in range(length):
            weights[output, pixel] = slow_kernel((pixel + 0.5 - centre) / max(step, 1))
    return weights / weights.sum(axis=1, keepdims=True)


@st.composite
def stretches(draw: st.DrawFn) -> tuple[int, float, float, int]:
    """Length of an axis, a stretch of it, and the size to scale it to: at most twice its own, as `make_cutout` does."""
    length = draw(st.integers(8, 300))
    size = draw(st.integers(2, 96))
    side = draw(st.floats(min(size / 2, length), length))
    low = draw(st.floats(0, length - side))
    return length, low, low + side, size


@given(stretches())
@settings(deadline=None)
def test_the_weights_are_the_textbooks(stretch: tuple[int, float, float, int]) -> None:
    length, low, high, size = stretch
    if size > 2 * (high - low):
        return
    weights = axis_weights(length, low, high, size)
    np.testing.assert_array_equal(weights.sum(axis=1), ONE)
    np.testing.assert_array_equal(weights, np.rint(weights))
    # Half a step for each, and for the largest all that the others left.
    assert np.abs(weights / ONE - slow_axis(length, low, high, size)).max() < 40 * 0.5 / ONE


@given(stretches())
@settings(deadline=None)
def test_sums_stay_where_float32_holds_whole_numbers(stretch: tuple[int, float, float, int]) -> None:
    length, low, high, size = stretch
    if size > 2 * (high - low):
        return
    largest = np.abs(axis_weights(length, low, high, size)).sum(axis=1).max() / ONE
    assert 255 * largest * QUARTERS * largest * ONE < 2**24


@pytest.mark.parametrize(
    ("shape", "box", "size"),
    [
        ((212, 212), (26.5, 26.5, 185.5, 185.5), 96),
        ((120, 90), (20.25, 5.0, 100.25, 85.0), 40),
        ((64, 64), (0.0, 0.0, 64.0, 64.0), 32),
        ((40, 40), (8.0, 8.0, 32.0, 32.0), 48),
    ],
)
class TestAgainst:
    def test_the_slow_filter(
        self, sky: Any, shape: tuple[int, int], box: tuple[float, float, float, float], size: int
    ) -> None:
        image = sky.pixels(1, *shape)
        top, left, bottom, right = box
        rows, columns = slow_axis(shape[0], top, bottom, size), slow_axis(shape[1], left, right, size)
        exact = np.clip(rows @ image.transpose(2, 0, 1).astype(float) @ columns.T, 0, 255)
        assert np.abs(Lanczos(shape, box, size)(image) - exact).max() < 0.75  # 0.5 of it is the last rounding

    def test_whole_numbers(self, shape: tuple[int, int], box: tuple[float, float, float, float], size: int) -> None:
        image = np.random.default_rng(2).integers(0, 256, (*shape, 3), dtype=np.uint8)
        top, left, bottom, right = box
        rows = axis_weights(shape[0], top, bottom, size).astype(np.int64)
        columns = axis_weights(shape[1], left, right, size).astype(np.int64)
        mixed = np.rint(np.einsum("yi,ijc->yjc", rows, image.astype(np.int64)) * (QUARTERS / ONE)).astype(np.int64)
        exact = np.einsum("xj,yjc->cyx", columns, mixed)
        expected = np.clip(np.rint(exact / (ONE * QUARTERS)), 0, 255)
        np.testing.assert_array_equal(Lanczos(shape, box, size)(image), expected)

    def test_pillow(self, sky: Any, shape: tuple[int, int], box: tuple[float, float, float, float], size: int) -> None:
        image = sky.pixels(3, *shape)
        top, left, bottom, right = box
        theirs = Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS, box=(left, top, right, bottom))
        ours = Lanczos(shape, box, size)(image).transpose(1, 2, 0)
        # Pillow clips and rounds to whole grey levels between the passes; ours is the closer to the exact filter.
        difference = np.abs(ours - np.asarray(theirs, np.int64))
        assert difference.mean() < 0.3
        assert np.percentile(difference, 99.9) <= 2

    def test_other_numbers_of_threads(
        self, shape: tuple[int, int], box: tuple[float, float, float, float], size: int
    ) -> None:
        image = np.random.default_rng(4).integers(0, 256, (*shape, 3), dtype=np.uint8)
        results = []
        for threads in (1, 2):
            with threadpool_limits(threads):
                results.append(Lanczos(shape, box, size)(image))
        np.testing.assert_array_equal(*results)


@given(st.integers(0, 255), st.integers(20, 200), st.integers(20, 200), st.integers(2, 40))
@settings(deadline=None, max_examples=30)
def test_a_flat_image_stays_flat(grey: int, height: int, width: int, size: int) -> None:
    image = np.full((height, width, 3), grey, np.uint8)
    assert (Lanczos((height, width), (0, 0, height, width), size)(image) == grey).all()


def test_turning_the_image_turns_the_result(sky: Any) -> None:
    image = sky.pixels(5, 90, 90)
    scale = Lanczos((90, 90), (9.0, 9.0, 81.0, 81.0), 32)
    turned = scale(np.ascontiguousarray(np.rot90(image))).astype(int)
    # Rounding between the passes makes rows and columns differ by what it rounds.
    assert np.abs(turned - np.rot90(scale(image), axes=(1, 2))).max() <= 1


def test_an_object_can_be_used_again(sky: Any) -> None:
    scale = lanczos((64, 64), (8.0, 8.0, 56.0, 56.0), 32)
    first, second = sky.pixels(6, 64, 64), sky.pixels(7, 64, 64)
    before = scale(first)
    kept = before.copy()
    scale(second)
    np.testing.assert_array_equal(before, kept)
    np.testing.assert_array_equal(scale(first), kept)


def test_large_images_are_not_kept() -> None:
    small, large = ((64, 64), (0.0, 0.0, 64.0, 64.0), 32), ((1500, 1500), (0.0, 0.0, 1500.0, 1500.0), 32)
    assert lanczos(*small) is lanczos(*small)
    assert lanczos(*large) is not lanczos(*large)

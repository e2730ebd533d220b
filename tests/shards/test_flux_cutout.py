"""Flux to cutouts: brightness, masks, bins, bands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mergerscope.shards.fill import fill
from mergerscope.shards.flux_cutout import FluxPacking, make_flux_cutout
from mergerscope.survey.flux.image import FluxImage, FluxSpec
from mergerscope.survey.records import ImageRefusedError

BANDS = ("g", "r", "z")


def packing(bands: tuple[str, ...] = BANDS, fill: bool = False, binning: int = 1) -> FluxPacking:
    return FluxPacking(FluxSpec(bands, "nanomaggy", None), fill, binning)


def galaxy(side: int, width: int | None = None) -> FluxImage:
    """A round galaxy in each band, of 1, 2 and 3 nanomaggies at its middle."""
    y, x = np.mgrid[:side, : width or side]
    radius = np.hypot(y - (side - 1) / 2, x - ((width or side) - 1) / 2) / side
    planes = np.stack([peak * np.exp(-((radius * 5) ** 2)) for peak in (1, 2, 3)]).astype(np.float32)
    return FluxImage(BANDS, planes, "nanomaggy")


def changed(image: FluxImage, **more: Any) -> FluxImage:
    return FluxImage(**({"bands": image.bands, "planes": image.planes, "unit": image.unit} | more))


def test_whole_and_unscaled_it_is_the_image_itself() -> None:
    image = galaxy(40)
    cutout = make_flux_cutout(image, packing(), 1.0, 40)
    np.testing.assert_array_equal(cutout.planes, image.planes)
    assert cutout.planes.dtype == np.float32
    assert cutout.planes.flags.c_contiguous
    assert (cutout.masked_fraction, cutout.missing_bands) == (0, ())


@given(st.integers(24, 90), st.integers(24, 90), st.floats(0.4, 1), st.integers(16, 48), st.floats(0.125, 5))
@settings(deadline=None, max_examples=60)
def test_an_even_brightness_stays_what_it_is(height: int, width: int, crop: float, size: int, level: float) -> None:
    image = FluxImage(("g",), np.full((1, height, width), level, np.float32), "nanomaggy")
    try:
        planes = make_flux_cutout(image, packing(("g",)), crop, size).planes
    except ImageRefusedError as refused:
        few = crop * min(height, width) < size / 2
        assert few == (refused.reason == "too-small")  # noqa: PT017
    else:
        np.testing.assert_allclose(planes, level, rtol=1e-6)


def test_scaling_keeps_the_surface_brightness_and_so_the_light_an_area() -> None:
    large, small = galaxy(240), make_flux_cutout(galaxy(240), packing(), 1.0, 60).planes
    np.testing.assert_allclose(small.sum(axis=(1, 2)) * 16, large.planes.sum(axis=(1, 2)), rtol=1e-3)
    np.testing.assert_allclose(small, galaxy(60).planes, atol=2e-2)


def test_the_middle_is_kept() -> None:
    planes = np.zeros((3, 41, 61), np.float32)
    planes[:, 20, 30] = 1
    cutout = make_flux_cutout(changed(galaxy(8), planes=planes), packing(), 21 / 41, 21).planes
    assert [int(plane.argmax()) for plane in cutout] == [10 * 21 + 10] * 3
    np.testing.assert_array_equal(cutout[0], planes[0, 10:31, 20:41])


def test_bins_are_sums() -> None:
    image = galaxy(40)
    cutout = make_flux_cutout(image, packing(binning=2), 1.0, 20).planes
    np.testing.assert_allclose(cutout, image.planes.reshape(3, 20, 2, 20, 2).sum(axis=(2, 4)), rtol=1e-5)
    planes = image.planes.copy()
    planes[:, 0, 0] = np.nan  # one of four: the others stand for it
    planes[:, 2:4, 2:4] = np.nan
    cutout2 = make_flux_cutout(changed(image, planes=planes), packing(binning=2), 1.0, 20)
    np.testing.assert_allclose(
        cutout2.planes[:, 0, 0], image.planes[:, [0, 1, 1], [1, 0, 1]].sum(axis=1) * 4 / 3, rtol=1e-5
    )
    assert not cutout2.planes[:, 1, 1].any()
    assert cutout2.masked_fraction == pytest.approx(1 / 400, abs=1e-6)


def test_an_odd_row_is_left_out_of_the_bins() -> None:
    assert make_flux_cutout(galaxy(41, 43), packing(binning=2), 1.0, 20).planes.shape == (3, 20, 20)


def test_what_was_not_observed_is_sky_and_is_counted() -> None:
    planes = galaxy(40).planes.copy()
    planes[0, :10] = np.nan
    cutout = make_flux_cutout(changed(galaxy(40), planes=planes), packing(), 1.0, 40)
    assert not cutout.planes[0, :10].any()
    assert cutout.masked_fraction == pytest.approx(10 / 40 / 3, abs=1e-6)
    assert np.isfinite(make_flux_cutout(changed(galaxy(40), planes=planes), packing(), 0.7, 20).planes).all()
    assert make_flux_cutout(changed(galaxy(40), planes=planes), packing(), 0.5, 20).masked_fraction == 0


@pytest.mark.parametrize("binning", [1, 2])
@pytest.mark.parametrize("mark", [3.4e38, -3.4e38, 1e30, np.inf])
def test_a_mark_for_missing_pixels_is_no_flux(mark: float, binning: int) -> None:
    planes = galaxy(40).planes.copy()
    planes[1, 10:12, 10:12] = mark
    marked = make_flux_cutout(changed(galaxy(40), planes=planes), packing(binning=binning), 0.9, 17)
    planes[1, 10:12, 10:12] = np.nan
    masked = make_flux_cutout(changed(galaxy(40), planes=planes), packing(binning=binning), 0.9, 17)
    np.testing.assert_array_equal(marked.planes, masked.planes)
    assert marked.masked_fraction == masked.masked_fraction > 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 30), st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_a_hole_is_filled_from_around_it(seed: int, height: int, width: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    planes, seen = rng.normal(size=(2, height, width)).astype(np.float32), rng.random((2, height, width)) < share
    hidden = np.where(seen, planes, np.float32(np.nan))
    filled = fill(hidden, seen)
    np.testing.assert_array_equal(filled[seen], planes[seen])
    for plane, known in zip(filled, seen, strict=True):
        around = plane[known] if known.any() else np.zeros(1)
        assert plane.min() >= around.min() - 1e-6
        assert plane.max() <= around.max() + 1e-6


def test_a_small_hole_in_an_even_sky_cannot_be_seen_and_a_large_one_does_not_ring() -> None:
    planes = np.full((1, 60, 60), 3.0, np.float32)
    planes[0, 20, 30:60] = np.nan
    planes[0, 40:50, 10:20] = np.nan
    cutout = make_flux_cutout(FluxImage(("g",), planes, "nanomaggy"), packing(("g",)), 1.0, 25)
    y, x = np.mgrid[:25, :25] * 2.4 + 1.2
    hole = (np.abs(y - 45) < 5) & (np.abs(x - 15) < 5)
    np.testing.assert_allclose(cutout.planes[0], np.where(hole, 0, 3), rtol=1e-5)
    assert cutout.masked_fraction == pytest.approx(130 / 3600, abs=1e-6)


def test_a_dead_column_in_a_galaxy_leaves_little_and_an_edge_does_not_ring() -> None:
    image = galaxy(120)
    planes = image.planes.copy()
    planes[:, :, 63] = np.nan
    whole = make_flux_cutout(image, packing(), 1.0, 50).planes
    holed = make_flux_cutout(changed(image, planes=planes), packing(), 1.0, 50).planes
    assert np.abs(holed - whole).max() < 0.02 * whole.max()
    planes = np.ones((1, 60, 60), np.float32)
    planes[:, :, :31] = np.nan
    half = make_flux_cutout(FluxImage(("g",), planes, "nanomaggy"), packing(("g",)), 1.0, 25).planes
    np.testing.assert_allclose(half, np.broadcast_to(np.arange(25) * 2.4 + 1.2 > 31, (1, 25, 25)), atol=1e-5)


@pytest.mark.parametrize(("binning", "crop", "size", "pixel", "flux_pixel"), [
    (1, 1.0, 40, 0.25, 0.25), (1, 0.5, 20, 0.25, 0.25), (1, 0.5, 40, 0.125, 0.25), (2, 1.0, 20, 0.5, 0.5),
    (2, 0.8, 32, 0.25, 0.5),
])  # fmt: skip
def test_the_side_of_a_pixel(binning: int, crop: float, size: int, pixel: float, flux_pixel: float) -> None:
    cutout = make_flux_cutout(changed(galaxy(40), pixel_arcsec=0.25), packing(binning=binning), crop, size)
    assert (cutout.pixel_arcsec, cutout.flux_pixel_arcsec) == (pytest.approx(pixel), pytest.approx(flux_pixel))
    unknown = make_flux_cutout(galaxy(40), packing(binning=binning), crop, size)
    assert (unknown.pixel_arcsec, unknown.flux_pixel_arcsec) == (None, None)


def test_bands_in_their_order_and_missing_ones() -> None:
    image = galaxy(32)
    cutout = make_flux_cutout(image, packing(("z", "u", "g"), fill=True), 1.0, 32)
    np.testing.assert_array_equal(cutout.planes, [image.planes[2], np.zeros((32, 32)), image.planes[0]])
    assert cutout.missing_bands == ("u",)
    with pytest.raises(ImageRefusedError, match="lacks u; it has g, r, z") as caught:
        make_flux_cutout(image, packing(("z", "u", "g")), 1.0, 32)
    assert caught.value.reason == "missing-band"
    with pytest.raises(ImageRefusedError, match="lacks u, i"):
        make_flux_cutout(image, packing(("u", "i"), fill=True), 1.0, 32)


def test_another_unit() -> None:
    with pytest.raises(ImageRefusedError, match="units of count"):
        make_flux_cutout(changed(galaxy(32), unit="count"), packing(), 1.0, 32)

"""The asinh stretch: linear when faint, logarithmic when bright, the same colour at any brightness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.errors import ParameterError
from mergerscope.params import FluxParams
from mergerscope.survey.flux.bands import BY_WAVELENGTH
from mergerscope.survey.stretch import FLUX_STRETCHES, RED_FIRST, STRETCHES, FluxStretch, Stretch, lupton_rgb

PLAIN = Stretch(("i", "r", "g"), (1.0, 1.0, 1.0), 8.0)


def grey(value):
    return np.full((3, 2, 2), value, np.float32)


def test_it_follows_the_published_formula():
    for value in (0.003, 0.05, 0.4, 2.0):
        assert lupton_rgb(grey(value), PLAIN)[0, 0, 0] == round(255 * min(np.arcsinh(8 * value) / 8, 1))


def test_faint_light_is_linear_and_the_order_is_kept():
    shown = [int(lupton_rgb(grey(value), PLAIN)[0, 0, 0]) for value in (0.01, 0.02, 0.04, 0.5, 5, 50)]
    assert shown[1] == pytest.approx(2 * shown[0], abs=1)
    assert shown == sorted(shown)


def test_colour_does_not_depend_on_brightness():
    colour = np.array([0.9, 0.6, 0.3], np.float32)[:, None, None]
    for level in (0.3, 1.0, 10.0, 1000.0):
        pixel = lupton_rgb(level * colour * np.ones((3, 1, 1)), PLAIN)[0, 0].astype(float)
        assert pixel / pixel.max() == pytest.approx([1, 2 / 3, 1 / 3], abs=0.02)


def test_cores_turn_white_where_colour_is_not_kept():
    bright = 1e4 * np.array([0.9, 0.6, 0.3])[:, None, None] * np.ones((3, 1, 1))
    cut = lupton_rgb(bright, Stretch(("i", "r", "g"), (1, 1, 1), 8.0, keep_colour=False))
    assert cut.min() > 150
    assert lupton_rgb(bright, PLAIN).min() < 100


def test_channels_follow_the_stretch_and_missing_pixels_are_sky():
    flux = np.zeros((3, 1, 2), np.float32)
    flux[0] = 0.5
    flux[:, 0, 1] = np.nan
    shown = lupton_rgb(flux, PLAIN)
    assert shown.shape == (1, 2, 3)
    assert shown.dtype == np.uint8
    assert shown[0, 0, 0] > shown[0, 0, 1] == 0
    assert shown[0, 1].max() == 0


def test_a_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"\(2, 4, 4\)"):
        lupton_rgb(np.zeros((2, 4, 4), np.float32), PLAIN)


def test_every_survey_shows_old_stars_red_and_the_sky_dark():
    for stretch in STRETCHES.values():
        assert lupton_rgb(np.zeros((3, 2, 2), np.float32), stretch).max() < 40
        assert len(set(stretch.bands)) == 3


def test_a_picture_of_a_survey_is_its_flux_stretched():
    flux = np.random.default_rng(0).normal(0, 0.1, (3, 8, 8)).astype(np.float32)
    for name, stretch in STRETCHES.items():
        bands = stretch.bands[::-1]
        shown = FluxStretch.of(FluxParams(stretch=name), bands, "nanomaggy")(flux[::-1])
        picture = np.rint(255 * shown).astype(np.uint8).transpose(1, 2, 0)
        np.testing.assert_array_equal(picture, lupton_rgb(flux, stretch))


def test_the_legacy_survey_is_shown_as_its_viewer_shows_it():
    """Its sdss_rgb with the scales of dr2_rgb, written out anew."""
    flux = {band: np.random.default_rng(i).normal(0.02, 0.05, (9, 9)) for i, band in enumerate("grz")}
    planes = [flux[band] * scale + 0.03 for band, scale in (("z", 2.2), ("r", 3.4), ("g", 6.0))]
    brightness = np.mean([np.maximum(plane, 0) for plane in planes], axis=0) + 1e-9
    wanted = [np.clip(plane * np.arcsinh(20 * brightness) / np.sqrt(20) / brightness, 0, 1) for plane in planes]
    images = np.stack([flux[band] for band in "grz"]).astype(np.float32)
    shown = FluxStretch.of(FluxParams(), ("g", "r", "z"), "nanomaggy")(images)
    np.testing.assert_allclose(shown, wanted, atol=2e-3)


@pytest.mark.parametrize("kind", FLUX_STRETCHES)
def test_arrays_and_tensors_are_stretched_alike(kind):
    torch = pytest.importorskip("torch")
    bands = STRETCHES[kind].bands[::-1] if kind in STRETCHES else ("g", "r", "i", "z")
    flux = np.random.default_rng(1).normal(0.01, 0.2, (5, len(bands), 12, 10)).astype(np.float32)
    flux[0, 0, 0, 0] = np.nan
    before = flux.copy()
    stretch = FluxStretch.of(FluxParams(stretch=kind), bands, "nanomaggy")
    shown, tensor = stretch(flux), stretch(torch.from_numpy(flux))
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_allclose(shown, tensor.numpy(), atol=1e-6)
    np.testing.assert_array_equal(flux, before)
    assert shown.dtype == np.float32
    assert shown.shape == (5, len(stretch.shown), 12, 10)
    assert 0 <= shown.min() <= shown.max() <= 1


@given(st.permutations("ugriz"), st.integers(1, 5))
def test_bands_are_matched_by_name_and_shown_from_red_to_blue(order, count):
    bands = tuple(order[:count])
    flux = np.zeros((count, 2, 2), np.float32)
    for number, band in enumerate(bands):
        flux[number] = "ugriz".index(band) / 100
    stretch = FluxStretch.of(FluxParams(stretch="lupton"), bands, "count")
    shown = stretch(flux)[:, 0, 0]
    assert list(shown) == sorted(shown, reverse=True)
    assert set(stretch.shown) == set(bands)


def test_bands_of_any_survey_are_shown_from_red_to_blue():
    assert set(RED_FIRST) == {*BY_WAVELENGTH, "Y"}
    assert FluxStretch("lupton", BY_WAVELENGTH).shown == BY_WAVELENGTH[::-1]
    assert FluxStretch("linear", ("F115W", "g")).shown == ("F115W", "g")


@pytest.mark.parametrize("unit", [1e-18, 1e9])
def test_a_linear_stretch_does_not_ask_for_the_unit(unit):
    flux = np.random.default_rng(3).normal(5, 3, (4, 3, 6, 6)).astype(np.float32)
    stretch = FluxStretch("linear", ("g", "r", "i"))
    np.testing.assert_allclose(stretch(flux * np.float32(unit)), stretch(flux), atol=1e-5)


def test_each_image_spans_0_to_1_where_the_stretch_is_linear():
    flux = np.random.default_rng(2).normal(5, 3, (4, 3, 6, 6)).astype(np.float32)
    shown = FluxStretch.of(FluxParams(stretch="linear"), ("g", "r", "i"), "count")(flux)
    assert (shown.min(axis=(1, 2, 3)) == 0).all()
    np.testing.assert_allclose(shown.max(axis=(1, 2, 3)), 1, rtol=1e-6)
    ordered = flux[:, ::-1].reshape(4, -1)
    np.testing.assert_array_equal(np.argsort(shown.reshape(4, -1), axis=1), np.argsort(ordered, axis=1))
    assert FluxStretch("linear", ("g",))(np.full((1, 3, 3), 7, np.float32)).max() == 0


def test_factors_and_softening_of_lupton_are_those_of_the_bands():
    settings = FluxParams(stretch="lupton", softening=5.0, scale=(2.0, 3.0))
    stretch = FluxStretch.of(settings, ("g", "r"), "count")
    faint = np.full((2, 1, 1), 1e-4, np.float32)
    np.testing.assert_allclose(stretch(faint)[:, 0, 0], [3e-4, 2e-4], rtol=1e-3)
    grey = stretch(np.array([0.3, 0.2], np.float32).reshape(2, 1, 1))
    np.testing.assert_allclose(grey, np.arcsinh(5 * 0.6) / 5, rtol=1e-5)


def test_pixels_summed_two_by_two_are_shown_as_bright_as_before():
    flux = np.full((3, 2, 2), 0.03, np.float32)
    one, four = (FluxStretch.of(FluxParams(bin=bin), ("g", "r", "z"), "nanomaggy") for bin in (1, 2))
    np.testing.assert_allclose(one(flux), four(4 * flux), rtol=1e-6)


@pytest.mark.parametrize(("settings", "bands", "unit", "words"), [
    ({}, ("g", "r", "i"), "nanomaggy", ["z, r, g", "g, r, i", "sdss", "flux.bands"]),
    ({"stretch": "sdss"}, ("u", "v"), "nanomaggy", ["i, r, g", "u, v", "lupton"]),
    ({}, ("g", "r", "z"), "count", ["nanomaggies", "'count'", "flux.zero_point"]),
    ({"stretch": "lupton", "scale": (1.0, 2.0)}, ("g", "r", "z"), "count", ["2 factors", "3 bands", "g, r, z"]),
])  # fmt: skip
def test_a_stretch_that_does_not_fit_the_images_says_so(settings, bands, unit, words):
    with pytest.raises(ParameterError) as refused:
        FluxStretch.of(FluxParams(**settings), bands, unit)
    for word in words:
        assert word in str(refused.value)


def test_another_number_of_channels_is_named():
    with pytest.raises(ValueError, match="2 channels, and there are 3 bands"):
        FluxStretch("legacy", ("g", "r", "z"))(np.zeros((2, 4, 4), np.float32))

"""Mergers painted into flux: in linear light, in the bands that are shown, with nothing cut off."""

import numpy as np
import pytest

from mergerscope.completeness.inject import draw_mergers, inject
from mergerscope.completeness.light import as_light, with_light
from mergerscope.completeness.point_spread import PointSpread
from mergerscope.survey.stretch import FluxStretch

LEGACY = FluxStretch("legacy", ("g", "r", "i", "z"))
STRETCHES = [LEGACY, FluxStretch("linear", ("g", "r", "i", "z")), FluxStretch("lupton", ("g",), 8.0, (3.0,))]


def host(bands=4, side=48, brightness=1.0):
    """A red galaxy of flux on a sky of noise, (bands, side, side)."""
    axis = np.arange(side) - (side - 1) / 2
    galaxy = np.exp(-np.hypot(axis[:, None], axis[None, :]) / 3)
    colour = 0.1 * brightness * (1 + np.arange(bands))[:, None, None]
    noise = 0.004 * np.random.default_rng(0).standard_normal((bands, side, side))
    return (colour * galaxy + noise).astype(np.float32)


@pytest.mark.parametrize("stretch", STRETCHES)
def test_light_goes_back_to_the_flux_that_it_was(stretch):
    flux = host(len(stretch.bands))
    before = flux.copy()
    light = as_light(flux, stretch)
    assert len(light) == len(stretch.shown)
    np.testing.assert_allclose(with_light(flux, light, stretch), flux, atol=1e-6)
    np.testing.assert_array_equal(flux, before)


def test_pictures_are_their_displayed_values():
    picture = np.random.default_rng(1).integers(0, 256, (3, 8, 8), np.uint8)
    np.testing.assert_array_equal(with_light(picture, as_light(picture, None), None), picture)


def test_bands_that_are_not_shown_stay_as_they_are():
    flux = host()
    changed = with_light(flux, as_light(flux, LEGACY) + 1, LEGACY)
    np.testing.assert_array_equal(changed[2], flux[2])
    assert (changed[[0, 1, 3]] > flux[[0, 1, 3]]).all()


@pytest.fixture(scope="module")
def merger():
    return next(iter(draw_mergers(1, 3, alone=True)))


@pytest.mark.parametrize("brightness", [0.3, 30.0])
def test_a_painted_galaxy_has_the_flux_and_the_colour_of_its_host(merger, brightness):
    flux = host(brightness=brightness)
    points = PointSpread(np.empty(0), np.empty(0))
    injected = inject(flux, merger, points, np.random.default_rng(2), stretch=LEGACY)
    assert injected.image.dtype == np.float32
    shown = [0, 1, 3]
    before, after = (image[shown].sum(axis=(1, 2)) for image in (flux, injected.image))
    np.testing.assert_allclose(after, before, rtol=0.25)
    if brightness > 1:
        # Far above the display's white: nothing was cut off there.
        assert (as_light(injected.image, LEGACY) > 1.5).any()

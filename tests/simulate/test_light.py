"""Light adds up, and the telescope neither makes nor loses it."""

import math

import numpy as np
import pytest

from mergerscope.simulate import galaxies
from mergerscope.simulate.instrument import expose, observing_conditions, smoothed, star

WIDE = 257


@pytest.mark.parametrize("index", [0.6, 1.0, 2.0])
def test_a_sersic_profile_holds_unit_light_and_half_of_it_inside_its_radius(index):
    light = galaxies.sersic(WIDE, (0, 0), 12.0, index, 0.6, 0.3)
    u, v = galaxies.turned(WIDE, (0, 0), 0.3)
    inside = 0.6 * u**2 + v**2 / 0.6 <= 12.0**2
    assert light.sum() == pytest.approx(1, rel=0.02)
    assert light[inside].sum() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("draw", [galaxies.elliptical_galaxy, galaxies.disc_galaxy, galaxies.edge_on_galaxy])
def test_a_galaxy_has_about_the_light_asked_for_and_none_below_zero(draw):
    for seed in range(8):
        light = draw(WIDE, (0.0, 0.0), 8.0, 1000.0, np.random.default_rng(seed))
        assert light.shape == (3, WIDE, WIDE)
        assert light.min() >= 0
        assert 600 < light.mean(axis=0).sum() < 1400


def test_a_galaxy_far_outside_the_field_is_drawn_as_nothing():
    light = galaxies.disc_galaxy(32, (5000.0, 0.0), 3.0, 1000.0, np.random.default_rng(0))
    assert np.isfinite(light).all()
    assert light.sum() == pytest.approx(0, abs=1e-6)


def test_colours_have_unit_mean_and_age_reddens():
    assert galaxies.colour(0.3, 0.1).mean() == pytest.approx(1)
    assert galaxies.colour(1.0)[0] > galaxies.colour(0.0)[0]


def test_smoothing_keeps_the_light_and_widens_a_gaussian_in_quadrature():
    narrow = galaxies.blob(65, (0, 0), 2.0)
    wide = smoothed(narrow[None], 3.0)[0]
    assert wide.sum() == pytest.approx(narrow.sum())
    assert wide == pytest.approx(galaxies.blob(65, (0, 0), math.hypot(2, 3)), abs=1e-6)


def test_a_star_is_as_wide_as_the_seeing():
    night = observing_conditions(np.random.default_rng(1))
    profile = star(65, (0, 0), 1.0, np.ones(3), night, spikes=False)[0]
    half = np.interp(night.seeing_fwhm_px / 2, np.arange(33), profile[32, 32:])
    assert half == pytest.approx(profile.max() / 2, rel=0.08)


def test_an_exposure_keeps_the_order_of_colours():
    rng = np.random.default_rng(2)
    light = 4000 * np.array([1.5, 1.0, 0.5])[:, None, None] * galaxies.blob(64, (0, 0), 4.0)
    picture = expose(light, np.zeros_like(light), observing_conditions(rng), rng)
    red, green, blue = picture[28:36, 28:36].reshape(-1, 3).mean(axis=0)
    assert picture.dtype == np.uint8
    assert red > green > blue > 20

"""Painted light has the noise that its own photons would have given it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from mergerscope.completeness.photons import add_photon_noise
from mergerscope.completeness.sky import Sky

SIGMA = 0.01
LEVEL = 0.05
ELECTRONS = 400.0


@pytest.fixture
def sky():
    values = LEVEL + SIGMA * ndtri((np.arange(4000) + 0.5) / 4000)
    return Sky(np.tile(values, (3, 1)), np.eye(3), 0.0)


def noisy(light, bend, sky, electrons=ELECTRONS, side=200):
    flat = np.broadcast_to(np.asarray(light)[:, None, None], (3, side, side))
    return add_photon_noise(flat, bend, sky, electrons, np.random.default_rng(0))


@pytest.mark.parametrize("flux", [0.02, 0.2, 0.6])
def test_light_as_bright_as_the_sky_is_as_noisy_and_noise_grows_with_the_root(sky, flux):
    # the sky is sqrt(electrons) times its noise bright; a display that hardly bends shows fluxes as they are
    seen = noisy([flux] * 3, 1e-3, sky)
    assert seen.mean() == pytest.approx(flux, rel=0.01)
    assert seen.std(axis=(1, 2)) == pytest.approx(SIGMA * np.sqrt(flux / (SIGMA * np.sqrt(ELECTRONS))), rel=0.03)


def test_more_photons_are_less_noise(sky):
    few, many = (noisy([0.3] * 3, 1e-3, sky, electrons).std() for electrons in (100.0, 10000.0))
    assert few / many == pytest.approx(10**0.5, rel=0.03)


def test_a_bent_display_shows_less_of_the_noise_of_bright_light(sky):
    # shown m is asinh(b I) / b, so that noise of I is shown times 1 / cosh(b m), in brightness
    bend, shown = 4.0, 0.5
    grey = noisy([shown] * 3, bend, sky).mean(axis=0)
    flux = np.sinh(bend * shown) / bend
    expected = SIGMA * np.sqrt(flux / (SIGMA * np.sqrt(ELECTRONS)) / 3) / np.cosh(bend * shown)
    assert grey.mean() == pytest.approx(shown, rel=0.01)
    assert grey.std() == pytest.approx(expected, rel=0.05)


def test_colour_is_kept_and_nothing_stays_nothing(sky):
    seen = noisy([0.3, 0.2, 0.1], 3.0, sky).mean(axis=(1, 2))
    assert seen == pytest.approx([0.3, 0.2, 0.1], rel=0.02)
    assert np.all(np.abs(noisy([0.0] * 3, 3.0, sky)) < 1e-9)


def test_noise_has_the_grain_of_the_sky(sky):
    rough = Sky(sky.values, sky.together, 0.6)
    away = noisy([0.3] * 3, 1e-3, rough) - 0.3
    assert (away[:, :, 1:] * away[:, :, :-1]).mean() / (away**2).mean() == pytest.approx(0.6, abs=0.05)

from __future__ import annotations

import numpy as np
import pytest

from mergerscope.completeness.sky import lift_host, measure_sky, sky_noise


def _neighbours(field):
    away = field - field.mean()
    return float((away[:, 1:] * away[:, :-1]).mean() / away.var())


@pytest.mark.parametrize("grain", [0.3, 0.7, 1.2])
def test_drawn_noise_has_the_level_amplitude_and_grain_of_the_sky(sky_field, grain):
    # many skies, for the corners of one hold only a few hundred pixels
    rng = np.random.default_rng(0)
    found = []
    for seed in range(12):
        image = sky_field(seed, stars=0, grain=grain)
        clean = sky_field(seed, stars=0, galaxy=0.0, grain=grain)
        drawn = sky_noise(measure_sky(image), (64, 64), rng)
        found.append((drawn.mean() - clean.mean(), drawn.std() / clean.std(),
                      _neighbours(drawn.mean(axis=0)) - _neighbours(clean.mean(axis=0))))
    level, amplitude, neighbours = np.mean(found, axis=0)
    assert abs(level) < 0.001
    assert amplitude == pytest.approx(1, abs=0.08)
    assert abs(neighbours) < 0.1


def test_a_sky_clipped_at_black_is_drawn_clipped(sky_field):
    image = np.clip(sky_field(3, stars=0) - 0.05, 0, 1)
    drawn = sky_noise(measure_sky(image), (64, 64), np.random.default_rng(1))
    assert (drawn.clip(0) == 0).mean() == pytest.approx(0.5, abs=0.1)
    assert drawn.clip(0).std() == pytest.approx(image[:, :12, :12].std(), rel=0.15)


def test_channels_go_together_as_in_the_sky():
    rng = np.random.default_rng(2)
    common = rng.standard_normal((1, 64, 64))
    image = np.clip(0.2 + 0.02 * np.repeat(common, 3, axis=0), 0, 1)
    drawn = sky_noise(measure_sky(image), (64, 64), rng)
    assert np.corrcoef(drawn[0].ravel(), drawn[2].ravel())[0, 1] > 0.9


def test_a_lifted_galaxy_leaves_sky_and_its_neighbours_behind(sky_field):
    image, empty = sky_field(5, galaxy=0.3), sky_field(5, galaxy=0.0)
    host = lift_host(image, np.random.default_rng(0))
    middle = host.background[:, 22:42, 22:42]
    assert middle.mean() == pytest.approx(0.05, abs=0.006)
    assert middle.std() == pytest.approx(0.01, rel=0.35)
    stars = empty > 0.2
    assert np.allclose(host.background[stars], image[stars], atol=0.02)
    assert host.brightness == pytest.approx(float((image - empty).mean(axis=0).sum()), rel=0.12)
    assert np.all(host.light >= 0)


def test_a_cutout_without_a_galaxy_gives_up_a_disc(sky_field):
    host = lift_host(sky_field(6, stars=0, galaxy=0.0), np.random.default_rng(0))
    assert host.brightness < 5
    assert np.isfinite(host.background).all()


def test_a_black_image_and_one_channel_are_no_trouble():
    host = lift_host(np.zeros((1, 32, 32)), np.random.default_rng(0))
    assert not host.background.any()
    assert host.brightness == 0

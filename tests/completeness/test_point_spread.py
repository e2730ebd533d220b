from __future__ import annotations

import numpy as np
import pytest

from mergerscope.completeness.point_spread import FWHM, USUAL, PointSpread, measure_point_spread


@pytest.mark.parametrize("sigma", [0.9, 1.2, 1.8])
def test_the_width_of_stars_comes_out(sky_field, sigma):
    points = measure_point_spread([sky_field(seed, sigma) for seed in range(12)])
    assert points.measured
    assert points.median_px == pytest.approx(FWHM * sigma, rel=0.04)


def test_broad_neighbours_do_not_move_it(sky_field):
    stars = [sky_field(seed, 1.2) for seed in range(12)]
    galaxies = [sky_field(seed, 2.6, stars=3) for seed in range(12, 18)]
    assert measure_point_spread(stars + galaxies).median_px == pytest.approx(FWHM * 1.2, rel=0.06)


def test_too_few_sources_fall_back(sky_field):
    points = measure_point_spread([sky_field(0, stars=3)])
    assert 0 < len(points.fwhm_px) <= 3
    assert not points.measured
    assert points.median_px == points.at(0.5) == USUAL
    assert measure_point_spread([]).median_px == USUAL


def test_a_cutout_takes_the_width_of_those_with_the_same_grain():
    grain = np.r_[np.full(100, 0.3), np.full(100, 0.8)]
    points = PointSpread(np.r_[np.full(100, 2.0), np.full(100, 5.0)], grain)
    assert points.at(0.25) == 2.0
    assert points.at(0.9) == 5.0

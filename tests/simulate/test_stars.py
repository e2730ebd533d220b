"""Stars before an encounter lie and move as their galaxy asks, and stand for all of its light."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from mergerscope.simulate.plan import draw_plan, random_rotation
from mergerscope.simulate.potential import (
    GRAVITY,
    HALO_MASS,
    HALO_SCALE,
    TOTAL_MASS,
    circular_speed,
    dispersion,
    halo_density,
    potential,
    pull,
)
from mergerscope.simulate.stars import DISC_EDGE, SPHEROID_SCALE, bulge, cold_disc, hot_spheroid, populate


def a_galaxy(kind="disc", seed=0):
    while True:
        for galaxy in draw_plan(np.random.default_rng(seed)).galaxies:
            if galaxy.kind == kind:
                return galaxy
        seed += 1


def test_the_pull_is_the_slope_of_the_potential():
    r, step = np.array([0.3, 2.0, 9.0, 80.0]), 1e-4
    slope = (potential(r + step, 2.0, 3.0) - potential(r - step, 2.0, 3.0)) / (2 * step)
    assert r * pull(r * r, 2.0, 3.0) == pytest.approx(slope, rel=1e-6)


def test_far_away_a_galaxy_is_a_point():
    assert potential(np.array(1e6), 2.0, 3.0) == pytest.approx(-GRAVITY * 2.0 * TOTAL_MASS / 1e6, rel=1e-3)


def test_the_rotation_curve_is_flat():
    speed = circular_speed(np.linspace(1, 8, 30) * 3.0, 3.0, 3.0)
    assert speed.max() / speed.min() < 1.25


def test_the_halo_holds_its_mass():
    # softening takes what would lie inside one core scale
    inside, _ = quad(lambda r: 4 * math.pi * r * r * float(halo_density(np.array(r), 2.0, 3.0)), 0, 3e4, limit=300)
    assert inside == pytest.approx(2.0 * HALO_MASS, rel=0.04)
    assert HALO_SCALE > 1


def test_dispersions_hold_the_stars_against_gravity():
    r, sigma = dispersion(SPHEROID_SCALE)
    density = 1 / (r * (r + SPHEROID_SCALE) ** 3)
    middle = (r > 0.1) & (r < 30)
    push = np.gradient(density * sigma**2, r)[middle]
    assert push == pytest.approx(-(density * r * pull(r * r, 1.0, 1.0))[middle], rel=0.01)


def test_a_disc_is_flat_and_turns_counterclockwise_on_circles():
    place, course = cold_disc(4000, 3.0, 3.0, 2.5, np.random.default_rng(0))
    assert place.shape == course.shape == (4000, 3)
    radius = np.hypot(place[:, 0], place[:, 1])
    assert radius.max() < DISC_EDGE * 2.5
    assert np.abs(place[:, 2]).mean() < 0.15 * 2.5
    turning = (place[:, 0] * course[:, 1] - place[:, 1] * course[:, 0]) / radius
    assert turning == pytest.approx(circular_speed(radius, 3.0, 3.0), rel=0.3)
    assert turning.mean() == pytest.approx(circular_speed(radius, 3.0, 3.0).mean(), rel=0.01)


def test_the_light_of_a_disc_is_exponential():
    galaxy = replace(a_galaxy(), arms=0, young_fraction=0.0, extent=1.0, scale_kpc=3.0)
    stars = populate(galaxy, 4000, 0.1, np.random.default_rng(1))
    # inside one scale length lies 1 - 2/e of an endless disc's light, inside its edge 1 - 6 exp(-5)
    expected = (1 - 2 / math.e) / (1 - 6 * math.exp(-5))
    assert stars.old[stars.radius < 1].sum() / stars.old.sum() == pytest.approx(expected, rel=0.02)


def test_a_hernquist_sphere_has_its_half_light_radius_and_no_star_escapes():
    place, course = hot_spheroid(5000, 3.0, 3.0, np.random.default_rng(2))
    radius = np.linalg.norm(place, axis=1)
    # m(r) = (r / (r + a))^2 of Hernquist (1990); 80 % of it is drawn
    share = math.sqrt(0.4)
    assert np.median(radius) == pytest.approx(SPHEROID_SCALE * 3.0 * share / (1 - share), rel=0.01)
    assert (0.5 * np.sum(course**2, axis=1) + potential(radius, 3.0, 3.0) < 0).all()
    assert np.abs(place.mean(axis=0)).max() < 0.5


@pytest.mark.parametrize("kind", ["disc", "spheroid"])
def test_moving_stars_and_bulge_share_the_light(kind):
    galaxy = a_galaxy(kind)
    stars = populate(galaxy, 700, 0.3, np.random.default_rng(3))
    bound = galaxy.bulge_fraction * (1 - galaxy.young_fraction)
    assert len(stars.position) == len(stars.old) == len(stars.young) == 700
    assert stars.old.sum() + stars.young.sum() + bound == pytest.approx(1)
    assert min(stars.old.min(), stars.young.min()) >= 0


def test_a_disc_spins_about_its_own_axis():
    galaxy = replace(a_galaxy(), spin=(math.radians(130), 0.7))
    stars = populate(galaxy, 2000, 0.0, np.random.default_rng(4))
    spin = np.cross(stars.position, stars.velocity).sum(axis=0)
    spin /= np.linalg.norm(spin)
    polar = math.radians(130)
    expected = [math.sin(polar) * math.cos(0.7), math.sin(polar) * math.sin(0.7), math.cos(polar)]
    assert spin == pytest.approx(expected, abs=0.01)


def test_a_round_bulge_has_half_its_light_inside_its_effective_radius():
    galaxy = replace(a_galaxy(), bulge_axis_ratio=1.0, bulge_radius=0.3, scale_kpc=4.0, bulge_index=2.5)
    points = bulge(galaxy, 1000)
    radius = np.linalg.norm(points.offset, axis=1)
    assert np.mean(radius < 1.2) == pytest.approx(0.5 / 0.97, abs=0.01)
    assert (points.spacing > 0).all()


def test_rotations_are_rotations():
    turn = random_rotation(np.random.default_rng(5))
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)

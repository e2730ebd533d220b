"""The integrator keeps what physics keeps."""

from dataclasses import replace

import numpy as np
import pytest

from mergerscope.simulate.encounter import acceleration, energy, fly_by, momentum, parabolic, step
from mergerscope.simulate.stars import cold_disc, hot_spheroid, random_rotation

NOBODY = np.zeros((0, 3))


def follow(bodies, position, velocity, steps, dt):
    for _ in range(steps):
        bodies, position, velocity = step(bodies, position, velocity, dt)
    return bodies, position, velocity


def test_a_parabolic_pair_starts_at_rest_as_a_whole_with_zero_energy():
    pair = parabolic(0.5, 0.7, pericentre=1.0, separation=7.0)
    assert pair.separation == pytest.approx(7.0)
    assert momentum(pair) == pytest.approx(np.zeros(3), abs=1e-12)
    assert energy(pair) == pytest.approx(0, abs=1e-12)
    apart, course = pair.position[1] - pair.position[0], pair.velocity[1] - pair.velocity[0]
    assert apart @ course < 0, "the pair comes in"


def test_without_friction_energy_and_momentum_stay():
    pair = parabolic(0.5, 0.7, pericentre=0.8, separation=7.0)
    later, _, _ = follow(pair, NOBODY, NOBODY, steps=400, dt=0.06)
    assert later.separation > 1
    assert energy(later) == pytest.approx(0, abs=2e-4)
    assert momentum(later) == pytest.approx(np.zeros(3), abs=1e-12)


def test_the_error_in_energy_falls_with_the_square_of_the_step():
    pair = parabolic(0.5, 0.7, pericentre=0.4, separation=7.0)
    steps = (16, 32, 64)
    # at pericentre, where a symplectic scheme's error is largest
    errors = [max(abs(energy(follow(pair, NOBODY, NOBODY, n * k, 1 / n)[0])) for k in (7, 8, 9)) for n in steps]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)


def test_time_can_be_turned_back():
    rng = np.random.default_rng(1)
    pair = parabolic(0.6, 0.8, pericentre=1.0, separation=6.0)
    place, speed = rng.normal(size=(20, 3)), rng.normal(size=(20, 3))
    there = follow(pair, place, speed, steps=150, dt=0.05)
    turned = replace(there[0], velocity=-there[0].velocity)
    back, place_again, speed_again = follow(turned, there[1], -there[2], steps=150, dt=0.05)
    assert back.position == pytest.approx(pair.position, abs=1e-9)
    assert place_again == pytest.approx(place, abs=1e-8)
    assert speed_again == pytest.approx(-speed, abs=1e-8)


def test_friction_takes_energy_but_no_momentum():
    pair = parabolic(0.5, 0.7, pericentre=0.8, separation=7.0, friction=1.0)
    later, _, _ = follow(pair, NOBODY, NOBODY, steps=400, dt=0.06)
    assert energy(later) < -0.05
    assert momentum(later) == pytest.approx(np.zeros(3), abs=1e-12)


def test_acceleration_equals_a_sum_written_out():
    pair = parabolic(0.4, 0.6, pericentre=1.0, separation=5.0)
    places = np.random.default_rng(2).normal(size=(5, 3))
    for place, pull in zip(places, acceleration(pair, places), strict=True):
        expected = np.zeros(3)
        for b in range(2):
            away = pair.position[b] - place
            expected += pair.mass[b] * away / (away @ away + pair.scale[b] ** 2) ** 1.5
        assert pull == pytest.approx(expected)


def test_a_fly_by_ends_the_asked_time_after_the_closest_approach():
    pair = parabolic(0.8, 0.9, pericentre=0.8, separation=6.0)
    encounter = fly_by(pair, NOBODY, NOBODY, after=3.0, dt=0.05)
    assert 3.0 <= encounter.since_pericentre < 3.06
    moving = encounter.bodies
    apart, course = moving.position[1] - moving.position[0], moving.velocity[1] - moving.velocity[0]
    assert apart @ course > 0, "the pair moves apart again"


def test_a_lone_disc_keeps_its_size_and_a_spheroid_its_equilibrium():
    alone = replace(parabolic(1e-9, 1.0, pericentre=1.0, separation=500.0), velocity=np.zeros((2, 3)))
    rng = np.random.default_rng(3)
    for place, speed in (cold_disc(3000, 1.0, 1.0, 0.5, rng), hot_spheroid(3000, 1.0, 1.0, rng)):
        before = np.median(np.linalg.norm(place, axis=1))
        _, later, _ = follow(alone, place + alone.position[0], speed, steps=200, dt=0.06)
        assert np.median(np.linalg.norm(later - alone.position[0], axis=1)) == pytest.approx(before, rel=0.05)


def test_a_plummer_sphere_has_its_half_mass_radius():
    place, _ = hot_spheroid(20000, 1.0, 1.0, np.random.default_rng(4))
    # half of the 97 % that are drawn; the whole sphere's half-mass radius is 1.305 scale lengths
    expected = 1 / np.sqrt(0.485 ** (-2 / 3) - 1)
    assert np.median(np.linalg.norm(place, axis=1)) == pytest.approx(expected, rel=0.03)


def test_rotations_are_rotations():
    turn = random_rotation(np.random.default_rng(5))
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)

"""The orbit of two galaxies keeps what physics keeps, and has the shape that Kepler gave it."""

from dataclasses import replace

import numpy as np
import pytest

from mergerscope.simulate.orbit import dissipation, energy, incoming, momentum, step_pairs
from mergerscope.simulate.potential import GRAVITY, TOTAL_MASS, potential


def a_pair(pericentre=6.0, binding=0.0, friction=0.0, ratio=0.5, scale=3.0, separation=60.0):
    return incoming(
        mass=np.array([[3.0], [3.0 * ratio]]),
        scale=np.array([[scale], [scale * ratio**0.4]]),
        pericentre=np.array([pericentre]),
        separation=np.array([separation]),
        binding=np.array([binding]),
        friction=np.array([friction]),
    )


def follow(pairs, steps, dt):
    for _ in range(steps):
        pairs = step_pairs(pairs, np.array([dt]))
    return pairs


def closest(pairs, dt, steps):
    seen = []
    for _ in range(steps):
        pairs = step_pairs(pairs, np.array([dt]))
        seen.append(pairs.separation[0])
    return min(seen)


def test_a_parabolic_pair_starts_at_rest_as_a_whole_with_zero_energy_and_comes_in():
    pair = a_pair()
    depth = TOTAL_MASS * pair.mass[1] * potential(pair.separation, pair.mass[0], pair.scale[0])
    assert pair.separation == pytest.approx(60.0)
    assert momentum(pair) == pytest.approx(np.zeros((3, 1)), abs=1e-9)
    assert energy(pair) / depth == pytest.approx(0, abs=1e-12)
    apart, course = pair.position[1] - pair.position[0], pair.velocity[1] - pair.velocity[0]
    assert np.sum(apart * course) < 0
    # it turns counterclockwise: the orbit's spin is +z, against which spins of discs are counted
    assert np.cross(apart[:, 0], course[:, 0])[2] > 0


@pytest.mark.parametrize(("pericentre", "binding"), [(2.0, 0.0), (6.0, 0.4), (15.0, 0.8)])
def test_a_pair_comes_as_near_as_it_was_asked_to(pericentre, binding):
    assert closest(a_pair(pericentre, binding), 0.0005, 1200) == pytest.approx(pericentre, rel=2e-3)


def test_an_orbit_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="start farther out"):
        a_pair(pericentre=59.0, binding=0.9)


def test_without_friction_energy_and_momentum_stay():
    pair = a_pair(binding=0.5)
    depth = energy(pair)
    later = follow(pair, 400, 0.003)
    assert energy(later) == pytest.approx(depth, rel=1e-3)
    assert momentum(later) == pytest.approx(np.zeros((3, 1)), abs=1e-8)


def test_far_apart_the_pair_moves_on_an_ellipse_of_kepler():
    total = GRAVITY * TOTAL_MASS * 4.5
    # softening and halo are a ten-thousandth of the distance, so two points are left
    pair = a_pair(scale=1e-3, separation=100.0)
    course = np.array([0.0, np.sqrt(0.6 * total / 100.0), 0.0])[:, None]
    share = np.array([-1 / 3, 2 / 3])[:, None, None]
    apocentre = replace(pair, position=share * np.array([100.0, 0, 0])[:, None], velocity=share * course)
    # vis viva: a = r / (2 - v^2 r / GM); Kepler's third law
    axis = 100.0 / 1.4
    period = 2 * np.pi * np.sqrt(axis**3 / total)
    half = follow(apocentre, 4000, period / 8000)
    assert half.separation == pytest.approx(2 * axis - 100.0, rel=1e-3)
    back = follow(half, 4000, period / 8000)
    assert back.position == pytest.approx(apocentre.position, abs=0.2)


def test_the_error_in_energy_falls_with_the_square_of_the_step():
    pair = a_pair(pericentre=3.0, ratio=1.0)
    depth = -float(TOTAL_MASS * pair.mass[1, 0] * potential(np.array(3.0), 3.0, 3.0))
    # at pericentre, where a symplectic scheme's error is largest
    errors = [max(abs(energy(follow(pair, n * k, 0.02 / n))[0]) / depth for k in (8, 9, 10)) for n in (8, 16, 32)]
    assert errors[0] < 0.01
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)


def test_friction_takes_energy_but_no_momentum():
    pair = a_pair(friction=3.0)
    depth = TOTAL_MASS * pair.mass[1] * potential(np.array([6.0]), pair.mass[0], pair.scale[0])
    later = follow(pair, 300, 0.003)
    assert energy(later) / depth > 0.05
    # what is lost is the work of friction
    work, moving = 0.0, pair
    for _ in range(300):
        moving = step_pairs(moving, np.array([0.003]))
        work += 0.003 * dissipation(moving)
    assert work == pytest.approx(energy(pair) - energy(later), rel=0.02)
    assert momentum(later) == pytest.approx(np.zeros((3, 1)), abs=1e-8)

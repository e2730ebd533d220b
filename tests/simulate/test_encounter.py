"""Test particles in the field of two galaxies."""

from dataclasses import replace

import numpy as np
import pytest

from mergerscope.simulate.encounter import COALESCED, LONGEST_GYR, advance, time_step, trace
from mergerscope.simulate.orbit import Pairs, incoming
from mergerscope.simulate.potential import circular_speed, dynamical_time, potential
from mergerscope.simulate.stars import cold_disc, hot_spheroid


def pairs(count=1, friction=0.0, ratio=0.5):
    mass = np.array([[3.0, 1.0, 6.0][:count], [3.0 * ratio, 0.8, 1.0][:count]])
    scale = np.array([[3.0, 2.0, 3.5][:count], [2.2, 1.8, 1.5][:count]])
    place = np.array([60.0, 40.0, 70.0])[:count]
    near = np.array([6.0, 3.0, 10.0])[:count]
    return incoming(mass, scale, near, place, np.full(count, 0.3), np.full(count, friction))


def alone(mass=3.0, scale=3.0):
    """A galaxy at rest with a feather as its companion, far away."""
    return Pairs(
        mass=np.array([[mass], [1e-12]]),
        scale=np.array([[scale], [scale]]),
        position=np.array([[[0.0], [0.0], [0.0]], [[1e5], [0.0], [0.0]]]),
        velocity=np.zeros((2, 3, 1)),
        friction=np.zeros(1),
    )


def as_batch(vectors):
    return vectors.T[:, None, :]


def test_a_circular_disc_stays_circular_without_a_perturber():
    radius = np.array([2.0, 5.0, 12.0, 20.0])
    speed = circular_speed(radius, 3.0, 3.0)
    place = np.stack([radius, 0 * radius, 0 * radius], axis=1)
    course = np.stack([0 * radius, speed, 0 * radius], axis=1)
    dt = time_step(alone())
    for steps in (50, 133, 300):
        _, later, moving = advance(alone(), as_batch(place), as_batch(course), dt, np.array([steps]))
        assert np.linalg.norm(later[:, 0], axis=0) == pytest.approx(radius, rel=1.2e-2)
        assert np.linalg.norm(moving[:, 0], axis=0) == pytest.approx(speed, rel=1.2e-2)


def test_a_circular_orbit_takes_its_period():
    radius = 6.0
    speed = float(circular_speed(np.array(radius), 3.0, 3.0))
    period = 2 * np.pi * radius / speed
    place, course = np.array([[radius, 0, 0]]), np.array([[0, speed, 0]])
    _, later, _ = advance(alone(), as_batch(place), as_batch(course), np.array([period / 400]), np.array([400]))
    assert later[:, 0, 0] == pytest.approx(place[0], abs=0.02)


def test_a_lone_disc_keeps_its_size_and_a_spheroid_its_equilibrium():
    rng = np.random.default_rng(3)
    dt = time_step(alone())
    discs = cold_disc(1500, 3.0, 3.0, 3.0, rng), hot_spheroid(4000, 3.0, 3.0, rng)
    for (place, course), allowed in zip(discs, (0.02, 0.08), strict=True):
        _, later, _ = advance(alone(), as_batch(place), as_batch(course), dt, np.array([120]))
        before, after = (np.linalg.norm(x, axis=1) for x in (place, later[:, 0].T))
        for quantile in (0.25, 0.5, 0.75):
            assert np.quantile(after, quantile) == pytest.approx(np.quantile(before, quantile), rel=allowed)


def test_time_can_be_turned_back():
    rng = np.random.default_rng(1)
    start, dt = pairs(), time_step(pairs())
    place, course = rng.normal(size=(3, 1, 20)) * 5, rng.normal(size=(3, 1, 20)) * 100
    there, x, v = advance(start, place, course, dt, np.array([120]))
    back, x, v = advance(replace(there, velocity=-there.velocity), x, -v, dt, np.array([120]))
    assert back.position == pytest.approx(start.position, abs=1e-7)
    assert x == pytest.approx(place, abs=1e-5)
    assert -v == pytest.approx(course, abs=1e-3)


def test_the_error_of_a_star_falls_with_the_square_of_the_step():
    place, course = as_batch(np.array([[4.0, 1.0, 2.0]])), as_batch(np.array([[30.0, 120.0, 20.0]]))
    _, exact, _ = advance(alone(), place, course, np.array([0.1 / 3200]), np.array([3200]))
    errors = []
    for steps in (25, 50, 100):
        _, later, _ = advance(alone(), place, course, np.array([0.1 / steps]), np.array([steps]))
        errors.append(np.linalg.norm(later - exact))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.2)


def test_a_lone_star_keeps_its_energy():
    place, course = np.array([[8.0, 0.0, 3.0]]), np.array([[10.0, 90.0, -40.0]])
    _, x, v = advance(alone(), as_batch(place), as_batch(course), time_step(alone()), np.array([500]))

    def total(x, v):
        return 0.5 * np.sum(v**2) + potential(np.linalg.norm(x), 3.0, 3.0)

    assert total(x[:, 0, 0], v[:, 0, 0]) == pytest.approx(total(place[0], course[0]), rel=2e-3)


def test_each_encounter_of_a_batch_goes_as_if_alone():
    rng = np.random.default_rng(2)
    batch = pairs(3, friction=3.0)
    place = (5 * rng.normal(size=(3, 3, 40))).astype(np.float32)
    course = (100 * rng.normal(size=(3, 3, 40))).astype(np.float32)
    dt, steps = time_step(batch), np.array([90, 90, 31])
    streams = [[np.random.default_rng(k) for k in range(3)] for _ in range(2)]
    ends, x, v = advance(batch, place, course, dt, steps, streams[0])
    for k in range(3):
        one = Pairs(*(getattr(batch, f)[..., k : k + 1] for f in ("mass", "scale", "position", "velocity", "friction")))
        end, x1, v1 = advance(
            one, place[:, k : k + 1], course[:, k : k + 1], dt[k : k + 1], steps[k : k + 1], [streams[1][k]]
        )
        assert np.array_equal(end.position[..., 0], ends.position[..., k])
        assert np.array_equal(x1[:, 0], x[:, k])
        assert np.array_equal(v1[:, 0], v[:, k])


def test_encounters_must_come_longest_first():
    with pytest.raises(ValueError, match="sort them"):
        advance(pairs(2), np.zeros((3, 2, 1)), np.zeros((3, 2, 1)), np.array([0.1, 0.1]), np.array([3, 5]))


def test_heat_needs_friction_and_is_bounded():
    rng = np.random.default_rng(4)
    place, course = cold_disc(800, 3.0, 3.0, 3.0, rng)
    spread = {}
    for friction in (0.0, 4.0):
        start = pairs(1, friction, ratio=1.0)
        x, v = (place + start.position[0].T), (course + start.velocity[0].T)
        dt, steps = time_step(start), np.array([200])
        cold = advance(start, as_batch(x), as_batch(v), dt, steps)
        hot = advance(start, as_batch(x), as_batch(v), dt, steps, [np.random.default_rng(1)])
        spread[friction] = np.abs(hot[1] - cold[1]).mean()
        assert np.array_equal(hot[0].position, cold[0].position), "stars weigh nothing"
    assert spread[0.0] == 0
    assert 0.3 < spread[4.0] < 6


def test_a_step_is_a_fraction_of_the_shorter_dynamical_time():
    start = pairs(3)
    times = dynamical_time(start.mass, start.scale)
    assert (time_step(start) < times / 3).all()
    assert time_step(start) == pytest.approx(0.3 * times.min(axis=0))


def test_events_come_in_order_and_friction_brings_the_end():
    start = pairs(3, friction=4.0)
    dt = time_step(start)
    events = trace(start, dt)
    order = np.stack([events.pericentre, events.apocentre, events.second, events.coalescence])
    assert (order[0] > 0).all()
    assert (np.diff(order, axis=0) >= 0).all()
    assert (order[3] * dt < LONGEST_GYR).all()
    without = np.array([6.0, 3.0, 10.0])
    assert ((0.6 * without < events.closest_kpc) & (events.closest_kpc < without)).all()
    ends, _, _ = advance(start, np.zeros((3, 3, 0)), np.zeros((3, 3, 0)), dt, np.full(3, order[3].max() + 1))
    assert (ends.separation <= COALESCED * start.scale[0]).all()
    free = trace(pairs(1), dt[:1])
    assert free.coalescence[0] == np.ceil(LONGEST_GYR / dt[0])

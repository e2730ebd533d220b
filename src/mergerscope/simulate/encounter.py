"""Stars in the field of two galaxies that pass each other, for many encounters at once.

The restricted three-body problem of Toomre & Toomre (1972, ApJ 178, 623): massless particles move in two softened
potentials whose centres follow their own orbit (`mergerscope.simulate.orbit`). Each encounter has its own step, a
fraction of the dynamical time of its denser galaxy, and all advance together, step by step.

Rigid potentials cannot relax violently, so a disc would outlive an equal merger. A share of the energy that friction
takes from the orbit is therefore given to the stars inside both galaxies as random motion: discs are puffed up by an
equal merger and hardly touched by a small one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mergerscope.simulate.orbit import Pairs, dissipation, step_pairs
from mergerscope.simulate.potential import TOTAL_MASS, dynamical_time, pull

__all__ = ["Events", "advance", "time_step", "trace"]

Array = NDArray[Any]

STEP = 0.3
"""Of the shorter of both dynamical times: a leapfrog's orbit then turns too fast by STEP^2 / 24, half a per cent."""
LONGEST_GYR = 3.0
"""An orbit that has not decayed by then is taken as it is."""
COALESCED = 0.7
"""Distance, in scales of the primary, within which two nuclei have become one remnant."""
HEAT_SHARE = 0.15
"""Of the energy lost to friction, a star's part over its even part: the rest goes to haloes and what escapes."""
HEAT_EVERY = 10
"""Steps from one kick to the next."""
HEAT_REACH = 3.0
"""Radius of a galaxy, in scales, inside which its stars are heated."""


@dataclass(frozen=True, slots=True)
class Events:
    """When things happen in B encounters, in steps from the start (B,).

    Attributes:
        pericentre: first closest approach.
        apocentre: farthest distance after it; ``coalescence`` where the pair does not separate again.
        second: second closest approach; ``coalescence`` where there is none before.
        coalescence: the two centres stay together from here on; the last step where they do not within `LONGEST_GYR`.
        closest_kpc: distance at ``pericentre``.
    """

    pericentre: Array
    apocentre: Array
    second: Array
    coalescence: Array
    closest_kpc: Array


def time_step(pairs: Pairs) -> Array:
    """Return the step of each encounter, (B,) Gyr."""
    return np.asarray(STEP * dynamical_time(pairs.mass, pairs.scale).min(axis=0))


def trace(pairs: Pairs, dt: Array) -> Events:
    """Follow the two centres alone through the whole encounter and note its events."""
    steps = np.ceil(LONGEST_GYR / dt).astype(int)
    apart = [pairs.separation]
    for _ in range(int(steps.max())):
        pairs = step_pairs(pairs, dt)
        apart.append(pairs.separation)
    found = [
        _events(track[: count + 1], COALESCED * scale)
        for track, count, scale in zip(np.array(apart).T, steps, pairs.scale[0], strict=True)
    ]
    return Events(*(np.array(column) for column in zip(*found, strict=True)))


def _events(apart: Array, together: float) -> tuple[int, int, int, int, float]:
    rising = np.diff(apart) > 0
    turns = np.flatnonzero(rising[1:] != rising[:-1]) + 1
    pericentre = int(turns[0]) if len(turns) else len(apart) - 1
    coalescence = max(int(np.flatnonzero(apart > together)[-1]), pericentre)
    apocentre = min(int(turns[1]) if len(turns) > 1 else coalescence, coalescence)
    second = min(int(turns[2]) if len(turns) > 2 else coalescence, coalescence)
    return pericentre, apocentre, second, coalescence, float(apart[pericentre])


def advance(
    pairs: Pairs,
    position: Array,
    velocity: Array,
    dt: Array,
    steps: Array,
    heat: Sequence[np.random.Generator] | None = None,
) -> tuple[Pairs, Array, Array]:
    """Advance encounters, each by its own number of its own steps (kick, drift, kick).

    Args:
        pairs: B encounters.
        position: (3, B, N) of the particles, kpc; its type is that of the arithmetic.
        velocity: (3, B, N), kpc/Gyr.
        dt: (B,) Gyr.
        steps: (B,), none larger than the one before it, so that the encounters still under way lie side by side.
        heat: one generator an encounter, from which the stars' random kicks come; None leaves them cold.

    Returns:
        The encounters, positions and velocities at their ends.

    Raises:
        ValueError: ``steps`` rises somewhere.
    """
    if np.any(np.diff(steps) > 0):
        raise ValueError(f"encounters must come with the longest first, got steps {steps.tolist()}: sort them")
    position, velocity = position.copy(), velocity.copy()
    tick = np.asarray(dt, dtype=position.dtype)[:, None]
    ends = replace(pairs, position=pairs.position.copy(), velocity=pairs.velocity.copy())
    pulled = _pull(pairs, position)
    lost = np.zeros(len(dt))
    for number in range(int(steps[0]) if len(steps) else 0):
        count = int(np.searchsorted(-steps, -number))  # steps > number
        if count < len(dt):
            pulled, pairs = pulled[:, :count], pairs.first(count)
            dt, tick = dt[:count], tick[:count]
        place, speed = position[:, :count], velocity[:, :count]
        speed += 0.5 * tick * pulled
        place += tick * speed
        pairs = step_pairs(pairs, dt)
        pulled = _pull(pairs, place)
        speed += 0.5 * tick * pulled
        if heat is not None:
            lost = lost[:count] + dt * dissipation(pairs)
            if number % HEAT_EVERY == HEAT_EVERY - 1:
                _heat(pairs, place, speed, lost, heat)
                lost = np.zeros(count)
        ends.position[..., :count], ends.velocity[..., :count] = pairs.position, pairs.velocity
    return ends, position, velocity


def _heat(pairs: Pairs, place: Array, speed: Array, lost: Array, heat: Sequence[np.random.Generator]) -> None:
    """Give stars near either centre their share of the energy ``lost`` (B,) by the orbit, as Gaussian kicks."""
    specific = HEAT_SHARE * lost / (TOTAL_MASS * pairs.mass.sum(axis=0))
    sigma = np.sqrt(2 / 3 * specific)
    for k, rng in enumerate(heat[: len(lost)]):
        near = np.zeros(place.shape[2], dtype=place.dtype)
        for galaxy in (0, 1):
            away = place[:, k] - pairs.position[galaxy][:, k, None].astype(place.dtype)
            reach2 = (HEAT_REACH * pairs.scale[galaxy, k]) ** 2
            near = np.maximum(near, np.exp(-np.sum(away * away, axis=0) / np.float32(reach2)))
        kick = rng.standard_normal(speed[:, k].shape, dtype=np.float32)
        speed[:, k] += np.asarray(sigma[k] * near, dtype=place.dtype) * kick


def _pull(pairs: Pairs, position: Array) -> Array:
    """Acceleration of massless particles, (3, B, N), in the field of both galaxies."""
    total = np.zeros_like(position)
    for galaxy in (0, 1):
        mass = pairs.mass[galaxy].astype(position.dtype)[:, None]
        scale = pairs.scale[galaxy].astype(position.dtype)[:, None]
        centre = pairs.position[galaxy].astype(position.dtype)[:, :, None]
        away = centre - position
        away *= pull(away[0] * away[0] + away[1] * away[1] + away[2] * away[2], mass, scale)
        total += away
    return total

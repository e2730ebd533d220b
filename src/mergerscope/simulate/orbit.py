"""The orbit of two galaxies around each other, for many pairs at once.

The secondary moves as a point in the primary's potential and the primary takes the reaction, so that momentum stays
and the energy has a closed form. Dynamical friction (Chandrasekhar 1943; Binney & Tremaine 2008, eq. 8.7) of each
in the other's halo makes the pair sink together, as in JSPAM (Wallin, Holincheck & Harvey 2016, arXiv:1511.05041).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from mergerscope.simulate.potential import (
    GRAVITY,
    HALO_SCALE,
    TOTAL_MASS,
    circular_speed,
    halo_density,
    potential,
    pull,
)

__all__ = ["Pairs", "dissipation", "energy", "incoming", "momentum", "step_pairs"]

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Pairs:
    """B pairs of galaxies; primaries first.

    Attributes:
        mass: (2, B) of the cores, 1e10 Msun; whole galaxies weigh `TOTAL_MASS` times that.
        scale: (2, B) of the cores, kpc.
        position: (2, 3, B), kpc.
        velocity: (2, 3, B), kpc/Gyr.
        friction: (B,) Coulomb logarithm; 0 conserves energy.
    """

    mass: Array
    scale: Array
    position: Array
    velocity: Array
    friction: Array

    @property
    def separation(self) -> Array:
        """Distance of the two centres, (B,) kpc."""
        return np.asarray(np.sqrt(_square(self.position[1] - self.position[0])))

    def first(self, count: int) -> Pairs:
        """Return the first ``count`` pairs."""
        return Pairs(
            self.mass[:, :count],
            self.scale[:, :count],
            self.position[..., :count],
            self.velocity[..., :count],
            self.friction[:count],
        )


def incoming(mass: Array, scale: Array, pericentre: Array, separation: Array, binding: Array, friction: Array) -> Pairs:
    """Place pairs on the incoming branch of an orbit in the x-y plane that turns counterclockwise.

    Args:
        mass: (2, B) of the cores.
        scale: (2, B) of the cores.
        pericentre: (B,) closest approach that the orbit would have without friction, kpc.
        separation: (B,) at the start, kpc.
        binding: (B,) minus the energy of the orbit over the depth of the potential at the start: 0 is parabolic, and
            near 1 the pair falls from rest.
        friction: (B,) see `Pairs`.

    Raises:
        ValueError: no orbit has that pericentre at that distance and energy.
    """
    depth = potential(separation, mass[0], scale[0]) * (1 + mass[1] / mass[0])
    deepest = potential(pericentre, mass[0], scale[0]) * (1 + mass[1] / mass[0])
    total = binding * depth
    tangential2 = 2 * pericentre**2 * (total - deepest) / separation**2
    radial2 = 2 * (total - depth) - tangential2
    if np.any(radial2 < 0) or np.any(tangential2 < 0):
        raise ValueError(
            f"no orbit comes from {separation} kpc to a pericentre of {pericentre} kpc with binding {binding}: "
            "start farther out, or bind the pair less"
        )
    zero = np.zeros_like(separation)
    place = np.stack([separation, zero, zero])
    course = np.stack([-np.sqrt(radial2), np.sqrt(tangential2), zero])
    share = np.stack([-mass[1], mass[0]]) / mass.sum(axis=0)
    return Pairs(mass, scale, share[:, None] * place, share[:, None] * course, np.asarray(friction))


def _drag(pairs: Pairs, distance: Array, speed: Array) -> Array:
    """Friction over the relative velocity, (B,) 1e10 Msun / Gyr: Chandrasekhar's force on each in the other's halo."""
    force = np.zeros_like(distance)
    for host, guest in ((0, 1), (1, 0)):
        mass, scale = pairs.mass[host], pairs.scale[host]
        # outside the guest's own half of the halo there is nothing left of it to be slowed down
        reach = distance + HALO_SCALE * pairs.scale[guest]
        guest_mass = TOTAL_MASS * pairs.mass[guest] * np.maximum(distance / reach, 0.25) ** 2
        # sqrt(2) times the dispersion of the halo's particles
        unit = circular_speed(np.maximum(distance, scale), mass, scale)
        x = np.maximum(speed / unit, 1e-2)
        # towards x = 0 this goes to 4 / (3 sqrt(pi)), and is there to 1e-4 at 1e-2
        slower = (erf(x) - 2 / np.sqrt(np.pi) * x * np.exp(-x * x)) / (x * x * x)
        density = halo_density(distance, mass, scale)
        force += 4 * np.pi * (GRAVITY * guest_mass) ** 2 * density * slower / (unit * unit * unit)
    return np.asarray(pairs.friction * force)


def dissipation(pairs: Pairs) -> Array:
    """Power of friction: orbital energy lost per time, (B,)."""
    moving = pairs.velocity[1] - pairs.velocity[0]
    speed2 = _square(moving)
    return np.asarray(_drag(pairs, pairs.separation, np.sqrt(speed2)) * speed2)


def _square(vector: Array) -> Array:
    # written out: a reduction may add in another order for another number of pairs
    return np.asarray(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2])


def _acceleration(pairs: Pairs) -> Array:
    """Of the two centres, (2, 3, B): gravity and friction, both equal and opposite in force."""
    apart = pairs.position[1] - pairs.position[0]
    r2 = _square(apart)
    force = TOTAL_MASS * pairs.mass[1] * pull(r2, pairs.mass[0], pairs.scale[0]) * apart
    if np.any(pairs.friction):
        moving = pairs.velocity[1] - pairs.velocity[0]
        force = force + _drag(pairs, np.sqrt(r2), np.sqrt(_square(moving))) * moving
    inverse = np.stack([1 / pairs.mass[0], -1 / pairs.mass[1]]) / TOTAL_MASS
    return np.asarray(inverse[:, None] * force)


def step_pairs(pairs: Pairs, dt: Array) -> Pairs:
    """Advance each pair by its own ``dt``, (B,) Gyr: kick, drift, kick (second order; reversible without friction)."""
    half = replace(pairs, velocity=pairs.velocity + 0.5 * dt * _acceleration(pairs))
    moved = replace(half, position=half.position + dt * half.velocity)
    return replace(moved, velocity=moved.velocity + 0.5 * dt * _acceleration(moved))


def momentum(pairs: Pairs) -> Array:
    """Total momentum, (3, B)."""
    return np.asarray(TOTAL_MASS * np.einsum("gb,gdb->db", pairs.mass, pairs.velocity))


def energy(pairs: Pairs) -> Array:
    """Kinetic plus potential energy of the two galaxies as bodies, (B,)."""
    kinetic = 0.5 * np.einsum("gb,gdb,gdb->b", pairs.mass, pairs.velocity, pairs.velocity)
    deep = potential(pairs.separation, pairs.mass[0], pairs.scale[0])
    return np.asarray(TOTAL_MASS * (kinetic + pairs.mass[1] * deep))

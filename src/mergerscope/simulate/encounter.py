"""Two galaxies on a parabolic orbit, with test particles for their stars.

The restricted three-body problem of Toomre & Toomre (1972, ApJ 178, 623): two softened potentials move under
their mutual gravity, massless particles move in the field of both. Friction between the haloes, which their
work leaves out, lets the pair sink together (as in JSPAM, Wallin et al. 2016, arXiv:1604.00435).

Units: G = 1, the primary's mass 1, the primary's scale length 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bodies", "Encounter", "acceleration", "energy", "fly_by", "momentum", "parabolic", "step"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bodies:
    """The two galaxies as softened (Plummer) point masses.

    Attributes:
        mass: (2,).
        scale: (2,) Plummer scale lengths.
        position: (2, 3).
        velocity: (2, 3).
        friction: rate at which the relative velocity is lost where the haloes overlap completely; 0 conserves energy.
    """

    mass: Array
    scale: Array
    position: Array
    velocity: Array
    friction: float = 0.0

    @property
    def softening2(self) -> float:
        """Square of the softening of the pair's mutual force."""
        return float(np.sum(self.scale**2))

    @property
    def separation(self) -> float:
        """Distance of the two centres."""
        return float(np.linalg.norm(self.position[1] - self.position[0]))


@dataclass(frozen=True, slots=True)
class Encounter:
    """What is left at the moment that is looked at.

    Attributes:
        bodies: the two centres.
        position: (N, 3) of the particles.
        velocity: (N, 3).
        since_pericentre: time since the first closest approach.
    """

    bodies: Bodies
    position: Array
    velocity: Array
    since_pericentre: float


def parabolic(
    mass_ratio: float, scale_ratio: float, pericentre: float, separation: float, friction: float = 0.0
) -> Bodies:
    """Place two galaxies on an incoming parabolic orbit in the x-y plane, in their common centre of mass.

    Direction and place follow the parabola of two points; the speed is the one that gives the softened pair
    zero energy.

    Args:
        mass_ratio: secondary over primary.
        scale_ratio: secondary over primary.
        pericentre: of the point-mass parabola.
        separation: at the start, larger than the pericentre.
        friction: see `Bodies`.
    """
    mass = np.array([1.0, mass_ratio])
    scale = np.array([1.0, scale_ratio])
    total = mass.sum()
    # r = 2q / (1 + cos nu); the pair comes in, so nu < 0
    nu = -np.arccos(2 * pericentre / separation - 1)
    place = separation * np.array([np.cos(nu), np.sin(nu), 0.0])
    course = np.array([-np.sin(nu), 1 + np.cos(nu), 0.0])
    speed = np.sqrt(2 * total / np.sqrt(separation**2 + np.sum(scale**2)))
    course *= speed / np.linalg.norm(course)
    share = np.array([-mass[1], mass[0]])[:, None] / total
    return Bodies(mass, scale, share * place, share * course, friction)


def acceleration(bodies: Bodies, position: Array) -> Array:
    """Return the pull of both galaxies on massless particles, (N, 3), at ``position`` (N, 3)."""
    pull = np.zeros_like(position)
    for mass, scale, centre in zip(bodies.mass, bodies.scale, bodies.position, strict=True):
        away = centre - position
        r2 = np.einsum("nd,nd->n", away, away) + scale**2
        pull += away * (mass / (r2 * np.sqrt(r2)))[:, None]
    return pull


def _mutual(bodies: Bodies) -> Array:
    """Accelerations of the two centres, (2, 3): gravity and friction, both equal and opposite in force."""
    apart = bodies.position[1] - bodies.position[0]
    r2 = float(apart @ apart)
    inverse_mass = np.array([1.0, -1.0])[:, None] / bodies.mass[:, None]
    force = np.prod(bodies.mass) * apart / (r2 + bodies.softening2) ** 1.5
    if bodies.friction:
        overlap = (1 + r2 / bodies.softening2) ** -2.5
        reduced = np.prod(bodies.mass) / bodies.mass.sum()
        force = force + bodies.friction * overlap * reduced * (bodies.velocity[1] - bodies.velocity[0])
    return np.asarray(inverse_mass * force)


def step(bodies: Bodies, position: Array, velocity: Array, dt: float) -> tuple[Bodies, Array, Array]:
    """Advance centres and particles by ``dt``: kick, drift, kick (leapfrog, second order, time-reversible)."""
    half = replace(bodies, velocity=bodies.velocity + 0.5 * dt * _mutual(bodies))
    velocity = velocity + 0.5 * dt * acceleration(bodies, position)
    moved = replace(half, position=half.position + dt * half.velocity)
    position = position + dt * velocity
    done = replace(moved, velocity=moved.velocity + 0.5 * dt * _mutual(moved))
    return done, position, velocity + 0.5 * dt * acceleration(moved, position)


def fly_by(bodies: Bodies, position: Array, velocity: Array, after: float, dt: float = 0.06) -> Encounter:
    """Follow an encounter until a time ``after`` its first pericentre.

    Args:
        bodies: an approaching pair.
        position: (N, 3) of the particles.
        velocity: (N, 3).
        after: time past pericentre, 0 or more.
        dt: step; the shortest orbit at the centre of the primary takes 2 pi.
    """
    since = -1.0  # below 0: still approaching
    while since < after:
        previous = bodies.separation
        bodies, position, velocity = step(bodies, position, velocity, dt)
        if since >= 0:
            since += dt
        elif bodies.separation > previous:
            since = 0.0
    return Encounter(bodies, position, velocity, since)


def momentum(bodies: Bodies) -> Array:
    """Total momentum of the two centres, (3,)."""
    return np.asarray(bodies.mass @ bodies.velocity)


def energy(bodies: Bodies) -> float:
    """Kinetic plus softened potential energy of the two centres."""
    kinetic = 0.5 * float(bodies.mass @ np.sum(bodies.velocity**2, axis=1))
    return kinetic - float(np.prod(bodies.mass)) / float(np.sqrt(bodies.separation**2 + bodies.softening2))

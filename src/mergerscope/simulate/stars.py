"""The stars of a galaxy before an encounter, as test particles in their own potential."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cold_disc", "hot_spheroid", "random_rotation"]

Array = NDArray[np.float64]


def random_rotation(rng: np.random.Generator) -> Array:
    """Return a rotation matrix (3, 3), uniform over all orientations (Arvo 1992: QR of a Gaussian matrix)."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    if np.linalg.det(q) < 0:
        q[:, 0] *= -1
    return np.asarray(q)


def cold_disc(
    count: int, mass: float, scale: float, disc_scale: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw an exponential disc on circular orbits in a Plummer potential.

    Args:
        count: particles.
        mass: of the potential.
        scale: Plummer scale length of the potential.
        disc_scale: exponential scale length of the light, cut at four of them.
        rng: where the numbers come from.

    Returns:
        Position and velocity, (count, 3), in a random orientation around the origin.
    """
    # the mass inside x scale lengths, 1 - (1 + x) exp(-x), inverted by interpolation
    x = np.linspace(0, 4, 2000)
    inside = 1 - (1 + x) * np.exp(-x)
    radius = disc_scale * np.interp(rng.uniform(0, inside[-1], count), inside, x)
    angle = rng.uniform(0, 2 * np.pi, count)
    speed = np.sqrt(mass) * radius / (radius**2 + scale**2) ** 0.75
    position = np.stack(
        [radius * np.cos(angle), radius * np.sin(angle), rng.normal(0, 0.06 * disc_scale, count)], axis=1
    )
    velocity = np.stack([-speed * np.sin(angle), speed * np.cos(angle), np.zeros(count)], axis=1)
    # a little heat keeps the disc from showing its own cold ringing
    velocity += rng.normal(size=velocity.shape) * 0.04 * np.sqrt(mass / scale)
    turn = random_rotation(rng)
    return position @ turn.T, velocity @ turn.T


def hot_spheroid(count: int, mass: float, scale: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw a Plummer sphere in equilibrium (Aarseth, Henon & Wielen 1974, A&A 37, 183).

    Args:
        count: particles.
        mass: of the potential.
        scale: Plummer scale length.
        rng: where the numbers come from.

    Returns:
        Position and velocity, (count, 3).
    """
    # the outermost 3 % of the sphere would land outside any field of view
    radius = scale / np.sqrt(rng.uniform(1e-6, 0.97, count) ** (-2 / 3) - 1)
    # speed as a fraction q of the escape speed is distributed as q^2 (1 - q^2)^3.5
    q = np.linspace(0, 1, 1000)
    cumulative = np.cumsum(q**2 * (1 - q**2) ** 3.5)
    fraction = np.interp(rng.uniform(0, cumulative[-1], count), cumulative, q)
    speed = fraction * np.sqrt(2 * mass) / (radius**2 + scale**2) ** 0.25
    return radius[:, None] * _directions(count, rng), speed[:, None] * _directions(count, rng)


def _directions(count: int, rng: np.random.Generator) -> Array:
    vectors = rng.normal(size=(count, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

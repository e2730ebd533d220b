"""A galaxy's gravity: a softened core of stars inside a Hernquist halo.

All galaxies are alike but for mass and length. With ``s = sqrt(r^2 + b^2)`` the potential is

    Phi(r) = -G M (1 / s + HALO_MASS / (s + HALO_SCALE b)),

a Plummer (1911) core of mass M for disc and bulge, and the halo of Hernquist (1990, ApJ 356, 359) softened by the
same length. The two make a rotation curve that is flat from b to 8 b, and an escape speed of sqrt(6.2) times the
circular one at 2 b, where the discs' outer stars are: just shallow enough a well for long tails (Dubinski, Mihos &
Hernquist 1999, ApJ 526, 607, who draw the line at about 6.5).

Units throughout the encounters: kpc, Gyr, 1e10 solar masses.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "GRAVITY", "HALO_MASS", "HALO_SCALE", "TOTAL_MASS", "circular_speed", "dispersion", "dynamical_time",
    "halo_density", "potential", "pull",
]  # fmt: skip

Array = NDArray[Any]

GRAVITY = 44985.1
"""Newton's constant, kpc^3 Gyr^-2 (1e10 Msun)^-1."""
HALO_MASS = 15.0
"""Of the halo, over the core's."""
HALO_SCALE = 8.0
"""Of the halo, over the core's."""
TOTAL_MASS = 1.0 + HALO_MASS
"""Of core and halo, over the core's."""


def pull(r2: Array, mass: Array | float, scale: Array | float) -> Array:
    """Return the inward acceleration over the radius, Gyr^-2, at squared radius ``r2``, kpc^2.

    Args:
        r2: any shape; the result keeps its type.
        mass: of the core, 1e10 Msun, broadcast against ``r2``.
        scale: of the core, kpc, likewise.
    """
    s = np.sqrt(r2 + scale * scale)
    halo = 1 / (s + HALO_SCALE * scale)
    s = 1 / s
    return np.asarray(GRAVITY * mass * s * (s * s + HALO_MASS * halo * halo))


def potential(r: Array, mass: Array | float, scale: Array | float) -> Array:
    """Return the potential, kpc^2 Gyr^-2, at radius ``r``, kpc; it is zero at infinity."""
    s = np.sqrt(r * r + scale * scale)
    return np.asarray(-GRAVITY * mass * (1 / s + HALO_MASS / (s + HALO_SCALE * scale)))


def circular_speed(r: Array, mass: Array | float, scale: Array | float) -> Array:
    """Return the speed of a circular orbit, kpc/Gyr, at radius ``r``, kpc."""
    return np.asarray(r * np.sqrt(pull(r * r, mass, scale)))


def halo_density(r: Array, mass: Array | float, scale: Array | float) -> Array:
    """Return the density of the halo, 1e10 Msun kpc^-3 (Hernquist 1990, eq. 2, softened)."""
    s = np.sqrt(r * r + scale * scale)
    a = HALO_SCALE * scale
    return np.asarray(HALO_MASS * mass * a / (2 * np.pi * s * (s + a) ** 3))


def dynamical_time(mass: Array | float, scale: Array | float) -> Array:
    """Return the time in which an orbit at the centre turns by about one radian, Gyr."""
    return np.asarray(np.sqrt(np.asarray(scale) ** 3 / (GRAVITY * np.asarray(mass))))


@cache
def dispersion(tracer_scale: float) -> tuple[Array, Array]:
    """Solve the isotropic Jeans equation for a Hernquist sphere of stars in a galaxy with mass 1 and scale 1.

    The radial dispersion is ``sigma^2(r) = 1/rho(r) int_r^inf rho(x) g(x) dx`` (Binney & Tremaine 2008, eq. 4.216).

    Args:
        tracer_scale: of the stars, over the core's.

    Returns:
        Radius and one-dimensional dispersion, both (M,), rising radius.
    """
    r = np.geomspace(1e-3, 400, 4000)
    density = 1 / (r * (r + tracer_scale) ** 3)
    inner = density * r * pull(r * r, 1.0, 1.0)
    slices = 0.5 * (inner[1:] + inner[:-1]) * np.diff(r)
    outside = np.append(np.cumsum(slices[::-1])[::-1], 0.0)
    return r, np.sqrt(outside / density)

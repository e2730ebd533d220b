"""How bright, far and large galaxies are in a magnitude-limited survey, and of which kind.

Magnitudes are r-band, AB; H_0 = 70 km/s/Mpc and q_0 = -0.55 throughout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = [
    "FAINT_LIMIT",
    "Place",
    "absolute_magnitude",
    "absolute_of_size",
    "apparent_magnitude",
    "early_share",
    "half_light_kpc",
    "place",
]

FAINT_LIMIT = 17.0
"""Galaxy Zoo 2 shows galaxies brighter than this (Willett et al. 2013, arXiv:1308.3496, sect. 2.1)."""
BRIGHT_LIMIT = 13.2
SPEED_OF_LIGHT_MPC = 299792.458 / 70.0
Q_0 = -0.55


@dataclass(frozen=True, slots=True)
class Place:
    """How far a galaxy is.

    Attributes:
        redshift: 0.003...0.35.
        kpc_per_arcsec: proper, at that redshift.
    """

    redshift: float
    kpc_per_arcsec: float


def absolute_magnitude(rng: np.random.Generator) -> float:
    """Draw M_r as in a magnitude-limited sample of Blanton et al. (2003, arXiv:astro-ph/0210215).

    Their Schechter function has alpha = -1.05 and M_* = -21.2 for our H_0; the volume out to which a galaxy is seen
    grows as L^(3/2), so that L / L_* follows a gamma distribution of shape alpha + 1 + 3/2.
    """
    luminosity = max(rng.gamma(1.45), 1e-3)
    return float(np.clip(-21.2 - 2.5 * math.log10(luminosity), -23.6, -15.5))


def apparent_magnitude(rng: np.random.Generator, faint: float = FAINT_LIMIT) -> float:
    """Draw m_r down to ``faint``, N(<m) growing as 10^(0.6 m): galaxies spread evenly in space."""
    bright = 10 ** (0.6 * (BRIGHT_LIMIT - faint))
    return faint + math.log10(rng.uniform(bright, 1.0)) / 0.6


def early_share(absolute: float) -> float:
    """Share of early types at M_r, after the red fractions of Baldry et al. (2004, astro-ph/0309710)."""
    return 0.12 + 0.63 / (1 + math.exp((absolute + 21.3) / 0.6))


def half_light_kpc(absolute: float, early: bool, rng: np.random.Generator) -> float:
    """Draw a half-light radius in kpc (Shen et al. 2003, arXiv:astro-ph/0301527, eqs. 14 to 16, table 1, r band)."""
    # faint red galaxies are all of one size
    log_median = max(-0.4 * 0.60 * absolute - 4.63, 0.05) if early else _late_log_kpc(absolute)
    scatter = 0.27 + (0.45 - 0.27) / (1 + 10 ** (-0.8 * (absolute + 20.91)))
    return float(10**log_median * math.exp(rng.normal(0, scatter)))


def absolute_of_size(radius_kpc: float, rng: np.random.Generator) -> float:
    """Draw M_r of two merging discs of this half-light radius: the late types' relation, brighter by star formation."""
    grid = np.linspace(-23.5, -17.5, 61)
    sizes = np.array([_late_log_kpc(value) for value in grid])
    # sizes grow towards the bright end, which comes first
    usual = float(np.interp(-math.log10(radius_kpc), -sizes, grid))
    return float(np.clip(usual - 0.3 + rng.normal(0, 0.35), -23.6, -17.0))


def _late_log_kpc(absolute: float) -> float:
    return -0.4 * 0.26 * absolute + (0.51 - 0.26) * math.log10(1 + 10 ** (-0.4 * (absolute + 20.91))) - 1.71


def place(absolute: float, apparent: float, early: bool) -> Place:
    """Return the redshift at which a galaxy of ``absolute`` has the magnitude ``apparent``.

    The luminosity distance is that of second order in z; the K correction in r is z for early types and z / 2
    for late ones (Blanton et al. 2003, astro-ph/0205243).
    """
    redshift = 0.05
    for _ in range(4):
        modulus = apparent - absolute - (1.0 if early else 0.5) * redshift
        distance = 10 ** ((modulus - 25) / 5)
        # d_L = c/H_0 (z + (1 - q_0) z^2 / 2), solved for z
        half = 0.5 * (1 - Q_0)
        redshift = (math.sqrt(1 + 4 * half * distance / SPEED_OF_LIGHT_MPC) - 1) / (2 * half)
    redshift = min(max(redshift, 0.003), 0.35)
    distance = SPEED_OF_LIGHT_MPC * (redshift + 0.5 * (1 - Q_0) * redshift**2)
    return Place(redshift, distance / (1 + redshift) ** 2 * 1000 * math.pi / 648000)

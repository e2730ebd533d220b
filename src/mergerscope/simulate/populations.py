"""Colours of stars by age and redshift, of foreground stars and of Galactic dust: relative flux by band.

Fluxes are relative to r, so a map of r-band light times these numbers is the light in every band (AB system).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDS", "dust_colour", "extinction", "galaxy_colour", "star_colour"]

Array = NDArray[np.float64]

BANDS = ("g", "r", "i", "z", "y")
"""Every band that is known here, by which the tables below are ordered."""

REDSHIFTS = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4])

OLD = np.array([
    # g-r, r-i, i-z, z-y as observed: an elliptical after Fukugita, Shimasaku & Ichikawa (1995, PASP 107, 945) and
    # the luminous red galaxies of Eisenstein et al. (2001, arXiv:astro-ph/0108153)
    [0.80, 0.37, 0.24, 0.12], [0.89, 0.39, 0.25, 0.12], [0.99, 0.41, 0.26, 0.13], [1.10, 0.43, 0.27, 0.13],
    [1.22, 0.46, 0.29, 0.14], [1.35, 0.48, 0.30, 0.14], [1.48, 0.52, 0.31, 0.15], [1.66, 0.62, 0.33, 0.16],
])  # fmt: skip
YOUNG = np.array([
    # the blue edge of star-forming galaxies: Im of Fukugita et al. (1995); Blanton et al. (2003, astro-ph/0209479)
    [0.10, 0.00, -0.06, 0.00], [0.12, 0.02, -0.05, 0.00], [0.15, 0.05, -0.04, 0.00], [0.19, 0.07, -0.03, 0.01],
    [0.24, 0.09, -0.02, 0.01], [0.30, 0.11, -0.01, 0.02], [0.36, 0.13, 0.00, 0.02], [0.46, 0.17, 0.02, 0.03],
])  # fmt: skip

GALACTIC = {
    # magnitudes of extinction for E(B-V) = 1: Schlafly & Finkbeiner (2011, arXiv:1012.4804), table 6, R_V = 3.1, for
    # SDSS (and LSST's y); the Legacy Surveys' and HSC's own coefficients for their filters, on the same scale
    "sdss": (3.303, 2.285, 1.698, 1.263, 1.088),
    "legacy": (3.214, 2.165, 1.592, 1.211, 1.064),
    "hsc": (3.240, 2.276, 1.633, 1.263, 1.075),
}


def galaxy_colour(age: str, redshift: float, redder: float = 0.0) -> Array:
    """Return the flux (5,) in g r i z y of stars of unit flux in r, as observed.

    Args:
        age: ``old`` or ``young``.
        redshift: 0...0.4; colours are interpolated.
        redder: magnitudes added to g-r, and in proportion to the other colours, for metals or dust.
    """
    table = OLD if age == "old" else YOUNG
    colours = np.array([np.interp(redshift, REDSHIFTS, column) for column in table.T])
    return _relative(colours + redder * np.array([1.0, 0.55, 0.4, 0.25]))


def star_colour(red_dwarf: bool, rng: np.random.Generator) -> Array:
    """Draw a foreground star's flux (5,) relative to r from the stellar locus (Covey et al. 2007, arXiv:0707.4473).

    Args:
        red_dwarf: one of spectral type M, else F to K.
        rng: where the numbers come from.
    """
    if red_dwarf:  # g-r stays near 1.4 while r-i goes on
        g_r, r_i = rng.normal(1.42, 0.06), 0.55 + 1.1 * rng.beta(1.6, 2.2)
    else:
        g_r = float(np.clip(0.25 + rng.gamma(2.0, 0.14), 0.15, 1.35))
        r_i = 0.02 + 0.36 * g_r + rng.normal(0, 0.02)
    return _relative(np.array([g_r, r_i, 0.55 * r_i, 0.3 * r_i]))


def dust_colour() -> Array:
    """Return the optical depth (5,) of a galaxy's own dust relative to r (Cardelli, Clayton & Mathis 1989)."""
    return np.array([1.40, 1.0, 0.77, 0.58, 0.48])


def extinction(survey: str, reddening_mag: float) -> Array:
    """Return the share (5,) of the light that Galactic dust of E(B-V) = ``reddening_mag`` lets through."""
    return np.asarray(10 ** (-0.4 * reddening_mag * np.asarray(GALACTIC[survey])))


def _relative(colours: Array) -> Array:
    """Fluxes from the colours g-r, r-i, i-z, z-y."""
    g_r, r_i, i_z, z_y = colours
    magnitudes = np.array([g_r, 0.0, -r_i, -r_i - i_z, -r_i - i_z - z_y])
    return np.asarray(10 ** (-0.4 * magnitudes))

"""Undisturbed galaxies: what one is (drawn from published distributions) and what it looks like (painted)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mergerscope.simulate.demography import (
    FAINT_LIMIT,
    absolute_magnitude,
    apparent_magnitude,
    early_share,
    half_light_kpc,
    place,
)
from mergerscope.simulate.discs import Disc, draw_disc, draw_dwarf, draw_lenticular, paint_disc
from mergerscope.simulate.light import Grid, Stars, sersic

__all__ = ["Galaxy", "draw_galaxy", "paint_galaxy"]

EDGE_ON_COS = 0.16
"""Discs whose normal is this close to the plane of the sky, by cosine, are seen edge-on."""
DWARFS_FROM = -18.6


@dataclass(frozen=True, slots=True)
class Galaxy:
    """A galaxy as drawn: its kind, place, brightness, size and structure.

    Attributes:
        kind: elliptical, lenticular, spiral, edge_on or irregular.
        magnitude: total, r band, AB, before Galactic dust.
        redshift: where it is.
        kpc_per_arcsec: there.
        radius_arcsec: half-light radius of the major axis.
        axis_ratio: on the sky.
        angle: of the major axis, from +x to +y.
        redder: magnitudes of g-r beyond the mean of its population.
        index: Sersic index of an elliptical.
        young: share of young stars in an elliptical's r-band light.
        disc: the structure of one with a disc.
    """

    kind: str
    magnitude: float
    redshift: float
    kpc_per_arcsec: float
    radius_arcsec: float
    axis_ratio: float
    angle: float
    redder: float
    index: float = 4.0
    young: float = 0.0
    disc: Disc | None = None

    @property
    def flux(self) -> float:
        """Total r-band light in nanomaggies."""
        return float(10 ** (0.4 * (22.5 - self.magnitude)))

    @property
    def bulge_fraction(self) -> float:
        """Bulge over total light."""
        return 1.0 if self.disc is None else self.disc.bulge_fraction


def draw_galaxy(
    rng: np.random.Generator, magnitude: float | None = None, smallest_arcsec: float = 1.5, kind: str | None = None
) -> Galaxy:
    """Draw a galaxy of the magnitude-limited sky.

    Args:
        rng: where the numbers come from.
        magnitude: in r, or None for one of a survey brighter than 17.
        smallest_arcsec: half-light radii below are drawn again, for surveys of resolved galaxies.
        kind: None for whatever comes.
    """
    for _ in range(200):
        absolute = absolute_magnitude(rng)
        early = rng.uniform() < early_share(absolute)
        apparent = apparent_magnitude(rng, FAINT_LIMIT) if magnitude is None else magnitude
        where = place(absolute, apparent, early)
        radius = half_light_kpc(absolute, early, rng) / where.kpc_per_arcsec
        drawn_kind, tilt = _kind(absolute, early, rng)
        if radius > smallest_arcsec and kind in (None, drawn_kind):
            break
    if drawn_kind == "elliptical":
        index = float(np.clip(3.0 + 0.5 * (-21.5 - absolute) + rng.normal(0, 0.7), 1.5, 4.5))
        # Padilla & Strauss (2008, arXiv:0802.0877): bright ellipticals are the rounder ones
        ratio = float(np.clip(rng.normal(0.80 if absolute < -21.5 else 0.72, 0.13), 0.42, 0.99))
        return Galaxy(
            drawn_kind, apparent, where.redshift, where.kpc_per_arcsec, radius / math.sqrt(ratio), ratio,
            rng.uniform(0, math.pi), rng.normal(0, 0.035), index, max(rng.normal(0.05, 0.05), 0.0),
        )  # fmt: skip
    if drawn_kind == "lenticular":
        disc = draw_lenticular(tilt, rng)
    elif drawn_kind == "irregular":
        disc = draw_dwarf(tilt, rng)
    else:
        disc = draw_disc(absolute, tilt, rng)
    # half-light radii of the catalogue are of circles; a tilted disc's major axis is longer
    radius /= max(math.cos(tilt), 0.25) ** 0.3
    ratio = math.sqrt(math.cos(tilt) ** 2 + (disc.thickness * math.sin(tilt)) ** 2)
    dusty = {"spiral": 0.06, "edge_on": 0.12}.get(drawn_kind, 0.0)
    return Galaxy(
        drawn_kind, apparent, where.redshift, where.kpc_per_arcsec, radius, ratio, rng.uniform(0, math.pi),
        rng.normal(dusty, 0.05), disc=disc,
    )  # fmt: skip


def paint_galaxy(galaxy: Galaxy, where: Grid) -> Stars:
    """Return the r-band light of a galaxy's stars, in nanomaggies a pixel, and its dust."""
    if galaxy.disc is not None:
        return paint_disc(galaxy.disc, where, galaxy.flux, galaxy.radius_arcsec, galaxy.angle)
    shape = sersic(where, galaxy.flux, galaxy.radius_arcsec, galaxy.index, galaxy.axis_ratio, galaxy.angle)
    if galaxy.young < 0.01:
        return Stars(shape, np.zeros_like(shape))
    # what little is young, or poor in metals, lies farther out
    outer = sersic(
        where, galaxy.flux * galaxy.young, 1.6 * galaxy.radius_arcsec, 1.8, galaxy.axis_ratio, galaxy.angle
    )
    return Stars((1 - galaxy.young) * shape, outer)


def _kind(absolute: float, early: bool, rng: np.random.Generator) -> tuple[str, float]:
    """Kind and tilt of the disc, whose cosine is as likely anywhere in 0...1."""
    cosine = rng.uniform()
    tilt = math.acos(cosine)
    if early:
        if rng.uniform() < 0.55:
            return "elliptical", 0.0
        return ("edge_on" if cosine < 0.12 else "lenticular"), tilt
    if absolute > DWARFS_FROM and rng.uniform() < 0.55:
        return "irregular", min(tilt, 1.2)
    return ("edge_on" if cosine < EDGE_ON_COS else "spiral"), tilt

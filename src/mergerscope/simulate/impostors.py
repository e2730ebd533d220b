"""What lies in front of, behind and beside a galaxy: stars, field galaxies, satellites' trails, large neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mergerscope.simulate.galaxies import Galaxy, draw_galaxy, paint_galaxy
from mergerscope.simulate.instrument import Night, sky_sigma
from mergerscope.simulate.light import Grid, add_gaussian, sersic, to_bands
from mergerscope.simulate.populations import galaxy_colour, star_colour

__all__ = ["Neighbour", "add_field_galaxies", "add_galaxy", "add_group", "add_star", "add_stars", "add_trail"]

Light = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A galaxy that was put beside the central one.

    Attributes:
        light: (bands, H, W) of it alone, before the point spread.
        centre_px: where it is from the field's centre.
        radius_arcsec: its half-light radius.
    """

    light: Light
    centre_px: tuple[float, float]
    radius_arcsec: float


FAINTEST = 23.0
STARS_18 = 0.20
"""Stars brighter than r = 18 in a square arcminute at middle Galactic latitudes, growing as 10^(0.24 r)
(Bahcall & Soneira 1980, ApJS 44, 73; Chen et al. 2001)."""
GALAXIES_20 = 0.75
"""Galaxies brighter than r = 20 in a square arcminute, growing as 10^(0.42 r) (Yasuda et al. 2001, AJ 122, 1104)."""
STAR_SLOPE = 0.24
SPIKES_FROM = 15.6
"""Stars brighter than this in r show diffraction spikes above the sky's noise."""


def add_galaxy(light: Light, galaxy: Galaxy, where: Grid, bands: tuple[int, ...]) -> Light:
    """Add a galaxy to light (bands, H, W); returns what was added."""
    added = to_bands(paint_galaxy(galaxy, where), bands, galaxy.redshift, galaxy.redder)
    light += added
    return added


def add_star(
    light: Light, x_px: float, y_px: float, magnitude: float, night: Night, bands: tuple[int, ...],
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add a star of r-band ``magnitude``, with spikes where it is bright, at a place from the field's centre."""
    # red dwarfs are faint: two thirds of the stars at r = 21.5, few at r = 15
    dwarf = rng.uniform() < min(max(0.1 + 0.085 * (magnitude - 15), 0.06), 0.75)
    colour = star_colour(dwarf, rng)[list(bands)]
    flux = 10 ** (0.4 * (22.5 - magnitude)) * colour
    add_gaussian(light, x_px, y_px, flux)
    if magnitude < SPIKES_FROM:
        _add_spikes(light, x_px, y_px, flux, night)


def add_stars(
    light: Light, night: Night, bands: tuple[int, ...], crowding: float, rng: np.random.Generator
) -> None:
    """Add foreground stars by number counts, ``crowding`` times the mean."""
    side_px = light.shape[1]
    area = (side_px * night.pixel_arcsec / 60) ** 2
    low, high = 10 ** (STAR_SLOPE * (11.0 - 18)), 10 ** (STAR_SLOPE * (FAINTEST - 18))
    for _ in range(rng.poisson(STARS_18 * crowding * area * (high - low))):
        magnitude = 18 + math.log10(rng.uniform(low, high)) / STAR_SLOPE
        x, y = rng.uniform(-side_px / 2, side_px / 2, size=2)
        add_star(light, float(x), float(y), magnitude, night, bands, rng)


def add_field_galaxies(
    light: Light, night: Night, bands: tuple[int, ...], crowding: float, rng: np.random.Generator
) -> list[Neighbour]:
    """Add unrelated galaxies by number counts, ``crowding`` times the mean; returns the brighter ones."""
    bright = []
    side_px = light.shape[1]
    area = (side_px * night.pixel_arcsec / 60) ** 2
    low, high = 10 ** (0.42 * (15.5 - 20)), 10 ** (0.42 * (FAINTEST - 20))
    for _ in range(rng.poisson(GALAXIES_20 * crowding * area * (high - low))):
        magnitude = 20 + math.log10(rng.uniform(low, high)) / 0.42
        x, y = rng.uniform(-side_px / 2, side_px / 2, size=2)
        where = Grid(side_px, night.pixel_arcsec, (float(x), float(y)))
        if magnitude < 19.5:
            galaxy = draw_galaxy(rng, magnitude, smallest_arcsec=0.3)
            bright.append(Neighbour(add_galaxy(light, galaxy, where, bands), where.centre_px, galaxy.radius_arcsec))
        else:
            _add_faint_galaxy(light, magnitude, where, bands, rng)
    return bright


def add_group(
    light: Light, night: Night, bands: tuple[int, ...], host: Galaxy, members: int, rng: np.random.Generator
) -> list[Neighbour]:
    """Add early-type members of the group or cluster that a galaxy lies in, fainter than it and as far away."""
    added = []
    side_px = light.shape[1]
    core_px = rng.uniform(0.12, 0.35) * side_px
    for _ in range(members):
        distance, angle = core_px * math.sqrt(rng.gamma(1.5)), rng.uniform(0, 2 * math.pi)
        place = (distance * math.cos(angle), distance * math.sin(angle))
        fainter = 1.0 + rng.gamma(3.0, 0.75)
        radius = max(host.radius_arcsec * 10 ** (-0.26 * fainter) * 0.8 * rng.lognormal(0, 0.25), 0.3)
        where = Grid(side_px, night.pixel_arcsec, place)
        shape = sersic(
            where, host.flux * 10 ** (-0.4 * fainter), radius, rng.uniform(1.5, 4), rng.uniform(0.45, 1),
            rng.uniform(0, math.pi),
        )  # fmt: skip
        colour = galaxy_colour("old", host.redshift, -0.02 * fainter + rng.normal(0, 0.03))[list(bands)]
        added.append(Neighbour(colour[:, None, None].astype(np.float32) * shape, place, radius))
        light += added[-1].light
    return added


def add_trail(light: Light, night: Night, rng: np.random.Generator) -> None:
    """Add a satellite's or aircraft's straight trail; where the sky drifts past, through one band only."""
    bands, side, _ = light.shape
    angle, offset = rng.uniform(0, math.pi), rng.uniform(-0.35, 0.35) * side
    axis = np.arange(side) - (side - 1) / 2
    across = axis[None, :] * math.sin(angle) - axis[:, None] * math.cos(angle) - offset
    width_px = rng.uniform(0.4, 2.6) / night.pixel_arcsec
    profile = np.exp(-0.5 * (across / width_px) ** 2)
    bright = sky_sigma(night) * rng.lognormal(math.log(2.5), 0.6)
    shown = np.ones(bands)
    if night.survey.drift_scan:
        shown = np.zeros(bands)
        shown[rng.integers(bands)] = 1
    light += (bright * shown)[:, None, None].astype(np.float32) * profile.astype(np.float32)


def _add_faint_galaxy(
    light: Light, magnitude: float, where: Grid, bands: tuple[int, ...], rng: np.random.Generator
) -> None:
    """A galaxy beyond r = 19.5, of which size and colour are all that is seen (sizes: Ferguson et al. 2004)."""
    radius = 10 ** (0.35 - 0.12 * (magnitude - 19)) * rng.lognormal(-0.3, 0.4)
    flux, redshift = 10 ** (0.4 * (22.5 - magnitude)), float(np.clip(rng.gamma(4.0, 0.065), 0.02, 0.4))
    shape = sersic(
        where, flux, radius, float(rng.choice([1.0, 1.5, 2.5])), rng.uniform(0.35, 1), rng.uniform(0, math.pi)
    )
    old = rng.beta(1.2, 1.0)
    colour = old * galaxy_colour("old", redshift) + (1 - old) * galaxy_colour("young", redshift, 0.15)
    light += colour[list(bands)][:, None, None].astype(np.float32) * shape


def _add_spikes(light: Light, x_px: float, y_px: float, flux: NDArray[np.float64], night: Night) -> None:
    """Add four diffraction spikes: a few thousandths of the light, falling as r^-1.6 along them."""
    side = light.shape[1]
    axis = np.arange(side) - (side - 1) / 2
    x, y = (axis - x_px)[None, :], (axis - y_px)[:, None]
    turn = night.spikes_rad
    scale = 1.2 / night.pixel_arcsec
    image = np.zeros((side, side))
    for angle in (turn, turn + math.pi / 2):
        along = np.abs(x * math.cos(angle) + y * math.sin(angle))
        across = y * math.cos(angle) - x * math.sin(angle)
        image += (1 + along / scale) ** -1.6 * np.exp(-0.5 * (across / (0.45 * scale)) ** 2)
    light += (flux * 2.5e-3 / scale**2)[:, None, None].astype(np.float32) * image.astype(np.float32)

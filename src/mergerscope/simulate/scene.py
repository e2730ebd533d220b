"""One field of the sky: a galaxy at the centre, what lies around it by chance, seen through a telescope; and the truth.

Galaxy ``i`` of a survey depends on the seed and on ``i`` alone: each part of it has a stream of random numbers that
begins from ``(seed, i, part)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mergerscope.simulate.demography import absolute_of_size, apparent_magnitude, place
from mergerscope.simulate.galaxies import Galaxy, draw_galaxy, paint_galaxy
from mergerscope.simulate.impostors import (
    Neighbour,
    add_field_galaxies,
    add_galaxy,
    add_group,
    add_star,
    add_stars,
    add_trail,
)
from mergerscope.simulate.instrument import Night, Survey, draw_night, expose
from mergerscope.simulate.light import Grid, Stars, to_bands
from mergerscope.simulate.mergers import Merger
from mergerscope.simulate.paint import paint, paint_tidal
from mergerscope.simulate.petrosian import petrosian_radius
from mergerscope.simulate.plan import Plan, draw_plan
from mergerscope.simulate.populations import BANDS, extinction
from mergerscope.simulate.psf import spread
from mergerscope.simulate.seen import Companion, R, companion_snr, galaxy_truth, merger_truth, star_snr, with_companion
from mergerscope.simulate.truth import Truth
from mergerscope.simulate.votes import merger_opinion

__all__ = ["FIELD_R90", "Scene", "Sketch", "draw_scene", "sketch", "stream"]

Light = NDArray[np.float32]

FIELD_R90 = 8.48
"""Side of a Galaxy Zoo cutout in petroR90: 424 pixels of 0.02 petroR90 (Willett et al. 2013, sect. 2.2)."""
MARGIN_PX = 16
"""Drawn around the field and cut off, for convolution wraps around the edges and stars beyond them shine in."""
COARSE_PX = 96
"""Side of the grid on which a galaxy's Petrosian radius is measured, at an eighth of its half-light radius a pixel."""
OVERSUBTRACTED = 0.95
"""SDSS takes the outskirts of galaxies for sky, and measures too small a radius (Blanton et al. 2011,
arXiv:1105.1960)."""
PAIR_R90 = 2.5
"""A neighbour farther off than this, in petroR90, is taken for the half of a pair by nobody."""
IMPOSTORS = {"projection": 0.04, "star": 0.025, "blend": 0.02, "trail": 0.006}
"""Shares of the galaxies that do not merge with something unrelated upon or beside them."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """What a galaxy of a survey will be, before anything is painted."""

    index: int
    impostor: str | None
    plan: Plan | None


@dataclass(frozen=True, slots=True)
class Scene:
    """A field as the survey's pipeline would hand it on.

    Attributes:
        flux: (bands, H, W) in nanomaggies a pixel, sky subtracted; the galaxy's centre is the field's.
        night: conditions, and the size of a pixel.
        field_px: side of the cutout in these pixels; the rest is a margin.
        truth: what is there.
        magnitude: of the central galaxy or pair, r, before Galactic dust.
        redshift: of the same.
        petro_r90_arcsec: of the same, as seen.
    """

    flux: Light
    night: Night
    field_px: float
    truth: Truth
    magnitude: float
    redshift: float
    petro_r90_arcsec: float


@dataclass(frozen=True, slots=True)
class _Target:
    """What stands at the centre, ready to be painted on any grid."""

    paint: Callable[[Grid], Stars]
    magnitude: float
    redshift: float
    redder: float
    half_light_arcsec: float
    galaxy: Galaxy | None

    @property
    def flux(self) -> float:
        """Total r-band light in nanomaggies."""
        return float(10 ** (0.4 * (22.5 - self.magnitude)))


def stream(seed: int, index: int, part: int) -> np.random.Generator:
    """Return the random numbers of one part of galaxy ``index``.

    Parts: 0 sketch, 1 galaxy, 2 night, 3 field, 4 noise, 5 votes.
    """
    return np.random.default_rng([seed, index, part])


def sketch(seed: int, index: int, merger_fraction: float) -> Sketch:
    """Say what galaxy ``index`` is: an encounter, an impostor, or neither."""
    rng = stream(seed, index, 0)
    if rng.uniform() < merger_fraction:
        return Sketch(index, None, draw_plan(rng))
    chance = rng.uniform()
    for kind, share in IMPOSTORS.items():
        if chance < share:
            return Sketch(index, kind, None)
        chance -= share
    return Sketch(index, None, None)


def draw_scene(seed: int, what: Sketch, merger: Merger | None, survey: Survey, side_px: int, native: bool) -> Scene:
    """Draw one field.

    Args:
        seed: of the survey.
        what: from `sketch`.
        merger: the encounter that was followed from ``what.plan``, if it has one.
        survey: whose telescope.
        side_px: side of the picture that will be made of it.
        native: the field is ``side_px`` of the survey's own pixels, and not `FIELD_R90` petroR90.
    """
    bands = tuple(BANDS.index(band.name) for band in survey.bands)
    rng = stream(seed, what.index, 1)
    target = _galaxy_target(draw_galaxy(rng)) if merger is None else _merger_target(merger, rng)
    night = draw_night(survey, stream(seed, what.index, 2))
    seeing = survey.bands[1].fwhm_arcsec
    r90_arcsec = _petro_r90(target, seeing)
    field_px = float(side_px) if native else FIELD_R90 * r90_arcsec / survey.pixel_arcsec
    if not native:
        # a field far larger than the picture is binned, as surveys keep coarser copies of their frames
        factor = 2 ** max(math.ceil(math.log2(field_px / (2.2 * max(side_px, 250)))), 0)
        night, field_px = night.binned(factor), field_px / factor
    margin = 2 * MARGIN_PX
    where = Grid(side_px + margin if native else 2 * math.ceil(field_px / 2) + margin, night.pixel_arcsec)
    light = to_bands(target.paint(where), bands, target.redshift, target.redder)
    alone = light[R].copy()
    field = stream(seed, what.index, 3)
    companions = _surroundings(light, target, what.impostor, r90_arcsec, night, bands, field)
    seen = spread(light, night.psf, night.shift_arcsec, night.pixel_arcsec)
    seen *= extinction(survey.name, night.reddening_mag)[list(bands)].astype(np.float32)[:, None, None]
    if what.impostor == "trail":
        add_trail(seen, night, field)
    flux = expose(seen, night, stream(seed, what.index, 4))
    if merger is not None:
        scale = night.pixel_arcsec * merger.half_light_kpc / target.half_light_arcsec
        torn = (target.flux * paint_tidal(merger, where.size, scale)).astype(np.float32)
        truth = merger_truth(merger, alone, torn, night, target.half_light_arcsec, r90_arcsec)
    else:
        assert target.galaxy is not None
        truth = galaxy_truth(target.galaxy, night)
        if what.impostor is not None:
            truth = replace(truth, truth_class=what.impostor)  # type: ignore[arg-type]  # impostors are classes
        # people judge by the neighbour that looks most like the other half of a pair
        truth = max((with_companion(truth, one, r90_arcsec) for one in companions), key=merger_opinion, default=truth)
    return Scene(flux, night, field_px, truth, target.magnitude, target.redshift, r90_arcsec)


def _galaxy_target(galaxy: Galaxy) -> _Target:
    return _Target(
        partial(paint_galaxy, galaxy), galaxy.magnitude, galaxy.redshift, galaxy.redder, galaxy.radius_arcsec, galaxy
    )


def _merger_target(merger: Merger, rng: np.random.Generator) -> _Target:
    """Put an encounter at a distance at which the survey sees it."""
    for _ in range(100):
        absolute = absolute_of_size(merger.half_light_kpc, rng)
        magnitude = apparent_magnitude(rng)
        where = place(absolute, magnitude, early=False)
        radius = merger.half_light_kpc / where.kpc_per_arcsec
        if radius > 1.5:
            break
    flux = 10 ** (0.4 * (22.5 - magnitude))

    def draw(grid: Grid) -> Stars:
        old, young = flux * paint(merger, grid.size, grid.pixel_arcsec * where.kpc_per_arcsec)
        return Stars(np.asarray(old, np.float32), np.asarray(young, np.float32))

    return _Target(draw, magnitude, where.redshift, rng.normal(0.04, 0.05), radius, None)


def _petro_r90(target: _Target, seeing_arcsec: float) -> float:
    """Measure petroR90 in arcsec, widened in quadrature by the seeing."""
    where = Grid(COARSE_PX, target.half_light_arcsec / 8)
    stars = target.paint(where)
    radius = petrosian_radius(stars.old + stars.young, (0.0, 0.0)) * where.pixel_arcsec
    return max(OVERSUBTRACTED * math.hypot(radius, 0.5 * seeing_arcsec), 2.5)


def _surroundings(
    light: Light, target: _Target, impostor: str | None, r90_arcsec: float, night: Night, bands: tuple[int, ...],
    rng: np.random.Generator,
) -> list[Companion]:  # fmt: skip
    """Add field galaxies, stars, a group and the impostor; returns what could be taken for the half of a pair."""
    side_px = light.shape[1]
    own_colour = _colour(light)
    r90_px = r90_arcsec / night.pixel_arcsec
    neighbours = add_field_galaxies(light, night, bands, rng.lognormal(-0.1, 0.45), rng)
    add_stars(light, night, bands, rng.lognormal(-0.2, 0.6), rng)
    galaxy, own = target.galaxy, []
    if galaxy is not None and galaxy.kind in ("elliptical", "lenticular") and rng.uniform() < 0.2:
        members = int(rng.poisson(rng.choice([2, 6, 14], p=[0.65, 0.27, 0.08])))
        neighbours += add_group(light, night, bands, galaxy, members, rng)
    if impostor == "star":
        apart, angle = r90_px * rng.uniform(0.15, 1.6), rng.uniform(0, 2 * math.pi)
        magnitude = target.magnitude + rng.uniform(-1.5, 3.0)
        add_star(light, apart * math.cos(angle), apart * math.sin(angle), magnitude, night, bands, rng)
        own.append(Companion(apart * night.pixel_arcsec, 0.0, 0.0, star_snr(magnitude, night)))
    if impostor in ("projection", "blend"):
        near, far = (0.25 * r90_px, 1.8 * r90_px) if impostor == "projection" else (0.42 * side_px, 0.52 * side_px)
        apart, angle = rng.uniform(near, far), rng.uniform(0, 2 * math.pi)
        brighter = rng.uniform(-0.5, 2.2) if impostor == "projection" else rng.uniform(-1.8, 0.5)
        other = draw_galaxy(rng, target.magnitude + brighter, smallest_arcsec=0.6)
        where = Grid(side_px, night.pixel_arcsec, (apart * math.cos(angle), apart * math.sin(angle)))
        added = Neighbour(add_galaxy(light, other, where, bands), where.centre_px, other.radius_arcsec)
        own.append(_companion(added, own_colour, target, night))
    beside = (one for one in neighbours if math.hypot(*one.centre_px) < PAIR_R90 * r90_px)
    return [*own, *(_companion(one, own_colour, target, night) for one in beside)]


def _companion(neighbour: Neighbour, own_colour: float, target: _Target, night: Night) -> Companion:
    return Companion(
        separation_arcsec=math.hypot(*neighbour.centre_px) * night.pixel_arcsec,
        colour_difference=abs(_colour(neighbour.light) - own_colour),
        size_ratio=neighbour.radius_arcsec / target.half_light_arcsec,
        snr=companion_snr(neighbour.light[R], neighbour.centre_px, night),
    )


def _colour(light: Light) -> float:
    """The colour g - r of all the light."""
    return float(-2.5 * np.log10(max(float(light[0].sum()), 1e-9) / max(float(light[1].sum()), 1e-9)))

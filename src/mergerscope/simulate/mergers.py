"""The light of a merging pair: an encounter's particles painted onto the field, with nuclei and young knots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mergerscope.simulate.encounter import Encounter, fly_by, parabolic
from mergerscope.simulate.galaxies import colour, sersic
from mergerscope.simulate.instrument import smoothed
from mergerscope.simulate.stars import cold_disc, hot_spheroid, random_rotation

__all__ = ["Merger", "merging_pair"]

Array = NDArray[np.float64]

PARTICLES = 9000
"""Test particles of the primary; the secondary has as many."""
FARTHEST = 0.2
"""Distance of two nuclei on the sky, as a fraction of the field: a wider pair is two galaxies to whoever looks."""


@dataclass(frozen=True, slots=True)
class Merger:
    """A painted encounter.

    Attributes:
        light: (3, H, W), total ``flux``.
        separation_px: of the two nuclei on the sky.
        stripped: share of the stars that discs have lost to tails and bridges, far outside both galaxies.
        mass_ratio: secondary over primary.
        since_pericentre: in dynamical times of the primary.
    """

    light: Array
    separation_px: float
    stripped: float
    mass_ratio: float
    since_pericentre: float


@dataclass(frozen=True, slots=True)
class _Stars:
    position: Array
    velocity: Array
    light: Array
    """(N, 3): brightness in the three bands; a galaxy's sum to its mass."""
    age: float
    is_disc: bool


def merging_pair(size: int, radius_px: float, flux: float, rng: np.random.Generator) -> Merger:
    """Draw an encounter and paint it.

    Args:
        size: pixels a side.
        radius_px: what one unit of length (the primary's scale) measures.
        flux: total light.
        rng: where the numbers come from.
    """
    mass_ratio = rng.uniform(0.3, 1.0)
    scale_ratio = float(np.sqrt(mass_ratio) * rng.uniform(0.85, 1.15))
    bodies = parabolic(mass_ratio, scale_ratio, rng.uniform(0.4, 1.8), 7.0, friction=rng.uniform(0.6, 1.4))
    members = [_stars(1.0, 1.0, rng), _stars(mass_ratio, scale_ratio, rng)]
    position = np.concatenate([m.position + bodies.position[i] for i, m in enumerate(members)])
    velocity = np.concatenate([m.velocity + bodies.velocity[i] for i, m in enumerate(members)])
    encounter = fly_by(bodies, position, velocity, after=rng.uniform(1.0, 9.0))
    sky, nuclei = _project(encounter, radius_px, FARTHEST * size, rng)
    light = _paint(size, sky, np.concatenate([m.light for m in members]))
    for nucleus, member, mass, scale in zip(nuclei, members, bodies.mass, bodies.scale, strict=True):
        reach = radius_px * float(scale) * rng.uniform(0.12, 0.25)
        bulge = sersic(size, (nucleus[0], nucleus[1]), reach, rng.uniform(1.5, 3), rng.uniform(0.7, 1), 0.0)
        light += colour(0.5 + 0.5 * member.age)[:, None, None] * mass * rng.uniform(0.12, 0.4) * bulge
    return Merger(
        np.asarray(flux * light / light.mean(axis=0).sum()),
        float(np.linalg.norm(nuclei[1] - nuclei[0])),
        _stripped(encounter, [m.is_disc for m in members]),
        mass_ratio,
        encounter.since_pericentre,
    )


def _stars(mass: float, scale: float, rng: np.random.Generator) -> _Stars:
    """A galaxy's particles and their light: a disc, blue outwards with knots, or in a quarter a red spheroid."""
    if rng.uniform() < 0.25:
        position, velocity = hot_spheroid(PARTICLES, mass, 0.7 * scale, rng)
        tint = np.tile(colour(rng.uniform(0.8, 1.05)), (PARTICLES, 1))
        return _Stars(position, velocity, mass * tint / PARTICLES, 1.0, is_disc=False)
    disc_scale = scale * rng.uniform(0.45, 0.65)
    position, velocity = cold_disc(PARTICLES, mass, scale, disc_scale, rng)
    age = rng.uniform(0.3, 0.95)
    radius = np.linalg.norm(position, axis=1, keepdims=True) / disc_scale
    old = np.clip(age + 0.2 - 0.14 * radius, -0.1, 1)
    tint = old * colour(1.0) + (1 - old) * colour(-0.15)
    knots = rng.choice(PARTICLES, size=int(rng.integers(5, 25)), replace=False)
    tint[knots] += colour(-0.4) * rng.uniform(5, 45, size=(len(knots), 1))
    return _Stars(position, velocity, mass * tint / PARTICLES, age, is_disc=True)


def _project(
    encounter: Encounter, radius_px: float, farthest_px: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Look from a random side from which the nuclei seem no farther apart than ``farthest_px``, if there is one.

    Returns:
        Particles (N, 2) and nuclei (2, 2) in pixels from the field's centre.
    """
    for _ in range(40):
        view = radius_px * random_rotation(rng)[:2]
        nuclei = encounter.bodies.position @ view.T
        if np.linalg.norm(nuclei[1] - nuclei[0]) < farthest_px:
            break
    # a survey centres on the brighter nucleus, or on the light of both where it sees them as one
    weight = rng.choice([0.0, 0.25, 0.5])
    centre = (1 - weight) * nuclei[0] + weight * nuclei[1] + rng.normal(0, 0.6, size=2)
    return encounter.position @ view.T - centre, nuclei - centre


def _paint(size: int, sky: Array, light: Array) -> Array:
    """Lay particles onto pixels, (3, H, W), the smoother the thinner they lie, so that tails are not grainy."""
    place = sky + (size - 1) / 2
    column, row = np.rint(place[:, 0]).astype(int), np.rint(place[:, 1]).astype(int)
    seen = (column >= 0) & (column < size) & (row >= 0) & (row < size)
    pixel = row[seen] * size + column[seen]
    light = light[seen]
    number = smoothed(np.bincount(pixel, minlength=size * size).reshape(1, size, size).astype(float), 2.0)
    density = number.ravel()[pixel]
    image = np.zeros((3, size, size))
    for low, high, sigma in ((6, np.inf, 0.8), (2, 6, 1.4), (0.5, 2, 2.2), (-np.inf, 0.5, 3.2)):
        chosen = (density >= low) & (density < high)
        bands = [np.bincount(pixel[chosen], light[chosen, band], size * size) for band in range(3)]
        image += smoothed(np.array(bands, dtype=np.float64).reshape(3, size, size), sigma)
    return np.maximum(image, 0)


def _stripped(encounter: Encounter, is_disc: list[bool]) -> float:
    # what a spheroid loses spreads into a haze that nobody sees
    far = np.repeat(is_disc, PARTICLES)
    for centre, scale in zip(encounter.bodies.position, encounter.bodies.scale, strict=True):
        far &= np.linalg.norm(encounter.position - centre, axis=1) > 2.6 * scale
    return float(far.mean())

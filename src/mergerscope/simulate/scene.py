"""One cutout: a galaxy of some kind at the centre, what lies around it by chance, and what is true about it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mergerscope.simulate.galaxies import (
    colour,
    disc_galaxy,
    edge_on_galaxy,
    elliptical_galaxy,
)
from mergerscope.simulate.instrument import Conditions, expose, observing_conditions, star
from mergerscope.simulate.mergers import merging_pair

__all__ = ["Kind", "Scene", "Truth", "draw_scene"]

Array = NDArray[np.float64]
Kind = Literal["elliptical", "disc", "edge_on", "merger", "projection", "star"]

SHARES = (0.33, 0.37, 0.10, 0.10, 0.06, 0.04)
"""How often each kind comes; `projection` and `star` are single galaxies with something else in front or behind."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What was put into a cutout.

    Attributes:
        kind: what it is.
        separation_px: of the two nuclei of a merger, or to the chance companion; 0 where there is none.
        stripped: share of a merger's stars in tails and bridges.
        mass_ratio: of a merger, secondary over primary; 0 otherwise.
        since_pericentre: of a merger, in dynamical times; 0 otherwise.
    """

    kind: Kind
    separation_px: float = 0.0
    stripped: float = 0.0
    mass_ratio: float = 0.0
    since_pericentre: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A cutout and the truth: uint8 (H, W, 3)."""

    image: NDArray[np.uint8]
    truth: Truth


def draw_scene(size: int, rng: np.random.Generator) -> Scene:
    """Draw one cutout of ``size`` pixels a side."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    kind = kinds[rng.choice(len(kinds), p=SHARES)]
    conditions = observing_conditions(rng)
    scale = size / 128
    radius_px = scale * float(np.clip(rng.lognormal(math.log(8.0), 0.27), 4.5, 14))
    flux = _flux(radius_px, rng)
    seen = np.zeros((3, size, size))
    if kind == "merger":
        merger = merging_pair(size, radius_px, 1.6 * flux, rng)
        truth = Truth(kind, merger.separation_px, merger.stripped, merger.mass_ratio, merger.since_pericentre)
        light = merger.light
    else:
        light = _single(_shape(kind, rng), size, (0.0, 0.0), radius_px, flux, rng)
        truth = Truth(kind)
    if kind in ("projection", "star"):
        apart = radius_px * rng.uniform(0.8, 2.8)
        place = _polar(apart, rng.uniform(0, 2 * math.pi))
        truth = Truth(kind, separation_px=apart)
        if kind == "star":
            seen += _star(size, place, flux * rng.uniform(0.05, 0.8), conditions, rng)
        else:
            other = radius_px * rng.uniform(0.4, 0.9)
            light = light + _single(
                _shape("projection", rng), size, place, other, _flux(other, rng) * rng.uniform(0.5, 1.2), rng
            )
    light = light + _neighbours(size, rng)
    for _ in range(rng.poisson(1.6)):
        far = _polar(size * rng.uniform(0.2, 0.68), rng.uniform(0, 2 * math.pi))
        seen += _star(size, far, float(np.clip(rng.lognormal(6.0, 1.3), 40, 20000)), conditions, rng)
    return Scene(expose(light, seen, conditions, rng), truth)


def _flux(radius_px: float, rng: np.random.Generator) -> float:
    """Total light for a mean surface brightness inside the half-light radius of 10 to 80 times the sky's noise."""
    brightness = float(np.clip(rng.lognormal(math.log(32), 0.5), 10, 80))
    return 2 * math.pi * radius_px**2 * brightness


def _shape(kind: Kind, rng: np.random.Generator) -> Kind:
    """The kind of single galaxy that stands for ``kind``."""
    if kind in ("projection", "star"):
        alone: tuple[Kind, ...] = ("elliptical", "disc", "edge_on")
        return alone[rng.choice(3, p=(0.45, 0.4, 0.15))]
    return kind


def _single(
    kind: Kind, size: int, centre: tuple[float, float], radius_px: float, flux: float, rng: np.random.Generator
) -> Array:
    if kind == "elliptical":
        return elliptical_galaxy(size, centre, radius_px, flux, rng)
    if kind == "edge_on":
        return edge_on_galaxy(size, centre, 1.15 * radius_px, 0.7 * flux, rng)
    return disc_galaxy(size, centre, 1.35 * radius_px, flux, rng)


def _neighbours(size: int, rng: np.random.Generator) -> Array:
    """Faint small galaxies anywhere but on the central one."""
    light = np.zeros((3, size, size))
    for _ in range(rng.poisson(2.2)):
        place = _polar(size * rng.uniform(0.2, 0.65), rng.uniform(0, 2 * math.pi))
        radius_px = rng.uniform(0.9, 3.0) * size / 128
        kind: Kind = "elliptical" if rng.uniform() < 0.6 else "disc"
        light += _single(kind, size, place, radius_px, _flux(radius_px, rng) * rng.uniform(0.2, 1), rng)
    return light


def _star(
    size: int, place: tuple[float, float], flux: float, conditions: Conditions, rng: np.random.Generator
) -> Array:
    tint = colour(float(rng.choice([rng.uniform(-0.4, 0.4), rng.uniform(0.4, 1.9)])))
    return star(size, place, flux, np.clip(tint, 0.1, None), conditions, spikes=flux > 6000)


def _polar(radius: float, angle: float) -> tuple[float, float]:
    return radius * math.cos(angle), radius * math.sin(angle)

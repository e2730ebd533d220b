"""The stars of a galaxy before an encounter: test particles, and the light that each stands for.

Places are not random but evenly spread (golden angle and equal steps in enclosed number), so that what a few
thousand particles show after an encounter is its flow and not their noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from mergerscope.simulate.plan import GalaxyPlan
from mergerscope.simulate.potential import circular_speed, dispersion, potential, pull

__all__ = ["Bulge", "Stars", "bulge", "cold_disc", "hot_spheroid", "populate"]

Array = NDArray[Any]

GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
DISC_EDGE = 5.0
"""Outermost particles of a disc, in its scale lengths."""
OVERSAMPLED = 1.6
"""Particles are spread along a longer exponential than the light, for tails are made of the outer disc."""
SPHEROID_SCALE = 1.2
"""Of the moving stars of a spheroid, over the potential's core."""
SPHEROID_EDGE = 0.8
"""Share of that Hernquist sphere which is drawn: the rest lies outside any field of view."""
YOUNG_EXTENT = 1.25
"""Scale length of young over old stars: discs are bluer outwards."""


@dataclass(frozen=True, slots=True)
class Stars:
    """Particles around the origin: position (N, 3) kpc, velocity (N, 3) kpc/Gyr, light (N,) of old and young.

    ``extent_kpc`` is the radius that holds all but two per cent of the light, ``radius`` (N,) the initial distance
    over the scale length.
    """

    position: Array
    velocity: Array
    old: Array
    young: Array
    radius: Array
    extent_kpc: float


@dataclass(frozen=True, slots=True)
class Bulge:
    """What stays bound to a nucleus: places on the sky (M, 2) and the spacing (M,) of neighbours, kpc."""

    offset: Array
    spacing: Array


def populate(plan: GalaxyPlan, count: int, age: float, rng: np.random.Generator) -> Stars:
    """Draw the moving stars of a galaxy: all but the bulge, whose light is missing from their sum of 1.

    Args:
        plan: the galaxy.
        count: particles.
        age: time until they are looked at, Gyr: spiral arms are laid out such that they have wound up to their
            pitch angle by then.
        rng: where the numbers come from.
    """
    length = plan.extent * plan.scale_kpc
    if plan.kind == "spheroid":
        position, velocity = hot_spheroid(count, plan.mass, plan.scale_kpc, rng)
        old = np.full(count, (1 - plan.bulge_fraction) / count)
        radius = np.linalg.norm(position, axis=1)
        return Stars(position, velocity, old, np.zeros(count), radius / length, float(np.quantile(radius, 0.98)))
    position, velocity = cold_disc(count, plan.mass, plan.scale_kpc, length, rng)
    x = np.hypot(position[:, 0], position[:, 1]) / length
    more = np.exp(x / OVERSAMPLED)
    wave = _arms(plan, position, age)
    old = np.exp(-x) * more * (1 + 0.35 * plan.arm_contrast * wave)
    young = np.exp(-x / YOUNG_EXTENT) * more * x * x / (x * x + 0.3) * (1 + plan.arm_contrast * wave) ** 2
    young /= young.sum()
    knots = rng.choice(count, size=int(rng.integers(25, 80)), replace=False, p=young)
    glow = rng.lognormal(0.0, 0.7, size=len(knots))
    young *= 1 - plan.clumps
    young[knots] += plan.clumps * glow / glow.sum()
    old *= (1 - plan.young_fraction) * (1 - plan.bulge_fraction) / old.sum()
    turn = _tilt(*plan.spin)
    # an exponential disc holds 98 % inside 5.8 scale lengths, and ends at DISC_EDGE
    return Stars(position @ turn.T, velocity @ turn.T, old, plan.young_fraction * young, x, DISC_EDGE * length)


def cold_disc(count: int, mass: float, scale: float, length: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Spread a disc on nearly circular orbits over the x-y plane, spinning about +z.

    Args:
        count: particles.
        mass: of the potential's core, 1e10 Msun.
        scale: of the potential's core, kpc.
        length: exponential scale length of the old light, kpc.
        rng: where the numbers come from.

    Returns:
        Position, kpc, and velocity, kpc/Gyr, (count, 3).
    """
    # the number inside x scale lengths, 1 - (1 + x) exp(-x), inverted by interpolation
    x = np.linspace(0, DISC_EDGE / OVERSAMPLED, 2000)
    inside = 1 - (1 + x) * np.exp(-x)
    order = np.arange(count)
    radius = OVERSAMPLED * length * np.interp((order + 0.5) / count * inside[-1], inside, x)
    angle = rng.uniform(0, 2 * math.pi) + GOLDEN_ANGLE * order
    speed = circular_speed(radius, mass, scale)
    height = 0.1 * length * rng.normal(size=count)
    position = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    velocity = np.stack([-speed * np.sin(angle), speed * np.cos(angle), np.zeros(count)], axis=1)
    # a little heat keeps the disc from showing its own cold ringing
    velocity += rng.normal(size=velocity.shape) * 0.05 * speed[:, None]
    return position, velocity


def hot_spheroid(count: int, mass: float, scale: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Spread a Hernquist sphere of stars on isotropic orbits in equilibrium with the potential.

    Speeds are Gaussian with the dispersion of the Jeans equation, cut at 0.95 of the escape speed.

    Args:
        count: particles.
        mass: of the potential's core, 1e10 Msun.
        scale: of the potential's core, kpc.
        rng: where the numbers come from.

    Returns:
        Position, kpc, and velocity, kpc/Gyr, (count, 3).
    """
    order = np.arange(count)
    share = np.sqrt((order + 0.5) / count * SPHEROID_EDGE)
    radius = SPHEROID_SCALE * scale * share / (1 - share)
    cosine = rng.permutation(1 - 2 * (order + 0.5) / count)
    sine = np.sqrt(1 - cosine**2)
    angle = GOLDEN_ANGLE * order
    direction = np.stack([sine * np.cos(angle), sine * np.sin(angle), cosine], axis=1)
    at, sigma = dispersion(SPHEROID_SCALE)
    # the table is for mass 1 and scale 1; G is in it
    velocity = rng.normal(size=(count, 3)) * (math.sqrt(mass / scale) * np.interp(radius / scale, at, sigma))[:, None]
    escape = 0.95 * np.sqrt(-2 * potential(radius, mass, scale))
    velocity *= np.minimum(1, escape / np.linalg.norm(velocity, axis=1))[:, None]
    return radius[:, None] * direction, velocity


def bulge(plan: GalaxyPlan, count: int) -> Bulge:
    """Spread points of equal light over a Sersic (1963) profile on the sky, cut where 3 % are left outside."""
    order = np.arange(count)
    inside = 0.97 * (order + 0.5) / count
    index = plan.bulge_index
    half = gammaincinv(2 * index, 0.5)
    radius = plan.bulge_radius * plan.scale_kpc * (gammaincinv(2 * index, inside) / half) ** index
    angle = GOLDEN_ANGLE * order
    flat = math.sqrt(plan.bulge_axis_ratio)
    u, v = radius * np.cos(angle) / flat, radius * np.sin(angle) * flat
    c, s = math.cos(plan.bulge_angle), math.sin(plan.bulge_angle)
    # a point has the ring between half-way to both its neighbours in radius to itself
    area = math.pi * np.gradient(radius**2)
    return Bulge(np.stack([c * u - s * v, s * u + c * v], axis=1), np.sqrt(area))


def _arms(plan: GalaxyPlan, position: Array, age: float) -> Array:
    """Density wave, -1 to 1, of logarithmic spirals that trail with the wanted pitch after ``age``."""
    if not plan.arms:
        return np.zeros(len(position))
    radius = np.hypot(position[:, 0], position[:, 1])
    turned = np.sqrt(pull(radius * radius, plan.mass, plan.scale_kpc)) * age
    angle = np.arctan2(position[:, 1], position[:, 0]) + turned
    return np.asarray(np.cos(plan.arms * (angle + np.log(radius / plan.scale_kpc) / math.tan(plan.arm_pitch))))


def _tilt(polar: float, azimuth: float) -> Array:
    """Rotation that takes the z axis to a direction."""
    c, s, ca, sa = math.cos(polar), math.sin(polar), math.cos(azimuth), math.sin(azimuth)
    return np.array([[ca * c, -sa, ca * s], [sa * c, ca, sa * s], [-s, 0.0, c]])

"""Merging pairs as a survey would see them: encounters followed to their moment and projected onto the sky."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mergerscope.simulate.clock import Clock
from mergerscope.simulate.encounter import Events, advance, time_step, trace
from mergerscope.simulate.orbit import Pairs, incoming
from mergerscope.simulate.plan import GalaxyPlan, Plan
from mergerscope.simulate.stars import Stars, bulge, populate
from mergerscope.simulate.truth import MergerTruth

__all__ = ["Merger", "follow"]

Array = NDArray[Any]

MOVING = (4200, 2800)
"""Particles that are followed, of primary and secondary."""
BOUND = 500
"""Points of each bulge, which move with their nucleus."""
START = 18.0
"""Distance at the start, in scales of the primary: tides are too weak there to be seen."""
AFTERMATH_GYR = 0.8
"""Longest time after coalescence."""
BATCH = 8
"""Encounters at once: more do not fit the processor's cache."""
NEIGHBOURS = 16
"""Particles are as wide as the distance to that neighbour, times `WIDTH`."""
WIDTH = 0.6
SPHEROID_WIDTH = 0.9
"""The same of hot stars, whose light has no fine structure but shells."""


@dataclass(frozen=True, slots=True)
class Merger:
    """The light of an encounter on the sky, in points, around the place that a survey would centre on.

    Attributes:
        position_kpc: (N, 2), x to the right and y up.
        old: (N,) r-band light of old stars.
        young: (N,) likewise of young ones; ``old.sum() + young.sum() == 1``.
        width_kpc: (N,) standard deviation of the Gaussian that each point stands for.
        tidal: (N,) bool, torn out of both galaxies' first extents.
        nuclei_kpc: (2, 2), primary first.
        truth: the encounter.
        half_light_kpc: radius of half the light of the central galaxy (of both once they touch).
    """

    position_kpc: Array
    old: Array
    young: Array
    width_kpc: Array
    tidal: Array
    nuclei_kpc: Array
    truth: MergerTruth
    half_light_kpc: float


def follow(plans: Sequence[Plan]) -> list[Merger]:
    """Integrate encounters to the moment at which each is looked at, many at once.

    The result depends on each plan alone, not on its company.

    Args:
        plans: from `mergerscope.simulate.plan.draw_plan`.

    Returns:
        One merger a plan, in order.
    """
    if not plans:
        return []
    pairs = _start(plans)
    dt = time_step(pairs)
    events = trace(pairs, dt)
    steps = np.array([_steps(plan, events, i, dt[i]) for i, plan in enumerate(plans)])
    found: dict[int, Merger] = {}
    order = np.argsort(-steps, kind="stable")
    for first in range(0, len(order), BATCH):
        batch = order[first : first + BATCH]
        members = [_members(plans[i], steps[i] * dt[i]) for i in batch]
        chosen = _start([plans[i] for i in batch])
        position = np.stack([_place(stars, chosen.position[..., k], "position") for k, stars in enumerate(members)], 1)
        velocity = np.stack([_place(stars, chosen.velocity[..., k], "velocity") for k, stars in enumerate(members)], 1)
        heat = [np.random.default_rng([plans[i].seed, 1]) for i in batch]
        ends, position, _ = advance(chosen, position, velocity, dt[batch], steps[batch], heat)
        for k, i in enumerate(batch):
            clock = Clock(int(steps[i]), float(dt[i]), events, int(i))
            found[int(i)] = _look(plans[i], members[k], ends.position[..., k], position[:, k].T, clock)
    return [found[i] for i in range(len(plans))]


def _start(plans: Sequence[Plan]) -> Pairs:
    mass = np.array([[galaxy.mass for galaxy in plan.galaxies] for plan in plans]).T
    scale = np.array([[galaxy.scale_kpc for galaxy in plan.galaxies] for plan in plans]).T
    pericentre = np.array([plan.pericentre for plan in plans]) * scale[0]
    binding = np.array([plan.binding for plan in plans])
    friction = np.array([plan.friction for plan in plans])
    return incoming(mass, scale, pericentre, START * scale[0], binding, friction)


def _steps(plan: Plan, events: Events, row: int, dt: float) -> int:
    pericentre, coalescence = int(events.pericentre[row]), int(events.coalescence[row])
    if plan.phase < 0:
        return round((1 + plan.phase) * pericentre)
    if plan.phase < 1:
        return pericentre + round(plan.phase * (coalescence - pericentre))
    return coalescence + round((plan.phase - 1) * AFTERMATH_GYR / dt)


def _members(plan: Plan, age: float) -> tuple[Stars, Stars]:
    rng = np.random.default_rng(plan.seed)
    primary, secondary = (populate(g, n, age, rng) for g, n in zip(plan.galaxies, MOVING, strict=True))
    return primary, secondary


def _place(members: tuple[Stars, Stars], centres: Array, what: str) -> Array:
    """Put both galaxies' stars around their centres (2, 3); returns (3, N) in single precision."""
    moved = [getattr(stars, what) + centre for stars, centre in zip(members, centres, strict=True)]
    return np.concatenate(moved).T.astype(np.float32)


def _look(plan: Plan, members: tuple[Stars, Stars], centres: Array, position: Array, clock: Clock) -> Merger:
    view = np.array(plan.view)
    nuclei = centres @ view.T
    weight = np.array([galaxy.mass * galaxy.light for galaxy in plan.galaxies])
    parts = [
        _galaxy_light(plan, g, members[g], position[_rows(g)] @ view.T, nuclei[g], clock) for g in (0, 1)
    ]  # points, old, young, width
    for (_, old, young, _), share in zip(parts, weight, strict=True):
        scale = share / (old.sum() + young.sum())
        old *= scale
        young *= scale
    points, old, young, width = (np.concatenate(column) for column in zip(*parts, strict=True))
    total = old.sum() + young.sum()
    old, young = old / total, young / total
    torn = _torn(members, centres, position)
    bound = np.zeros(BOUND, dtype=bool)
    tidal = np.concatenate([bound, torn[_rows(0)], bound, torn[_rows(1)]])
    light = old + young
    owner = np.repeat([0, 1], [BOUND + n for n in MOVING])
    bright = int(np.argmax([light[owner == g].sum() for g in (0, 1)]))
    apart = float(np.linalg.norm(nuclei[1] - nuclei[0]))
    touching = apart < 2.0 * plan.galaxies[bright].scale_kpc
    centre = nuclei[bright]
    if touching and plan.centring > 0.5:
        near = np.linalg.norm(points - centre, axis=1) < 3 * plan.galaxies[bright].scale_kpc
        centre = np.average(points[near], axis=0, weights=light[near])
    points = points - centre
    own = light if touching else np.where(owner == bright, light, 0.0)
    return Merger(
        position_kpc=points,
        old=old,
        young=young,
        width_kpc=width,
        tidal=tidal,
        nuclei_kpc=nuclei - centre,
        truth=_truth(plan, clock, apart, float(np.linalg.norm(centres[1] - centres[0])), float(light[tidal].sum())),
        half_light_kpc=_half_light(points, own),
    )


def _galaxy_light(
    plan: Plan, which: int, stars: Stars, sky: Array, nucleus: Array, clock: Clock
) -> tuple[Array, Array, Array, Array]:
    """Points, old and young light and width of one galaxy: its bulge, then its moving stars."""
    galaxy = plan.galaxies[which]
    cusp = bulge(galaxy, BOUND)
    burst = _burst(plan, galaxy, clock)
    # gas that has lost its spin ends in the nucleus; test particles do not, so their light there is raised
    inner = np.exp(-((stars.radius / 0.6) ** 2)) * (stars.old > 0)
    fed = inner / max(float(inner.sum()), 1e-12) * burst * galaxy.young_fraction
    # a remnant runs out of gas
    spent = math.exp(-max(clock.since(clock.events.coalescence), 0.0) / 0.4)
    young = spent * stars.young * (1 + burst) + 0.5 * fed
    heart = np.exp(-np.arange(BOUND) / (0.25 * BOUND))
    old_core = np.full(BOUND, galaxy.bulge_fraction * (1 - galaxy.young_fraction) / BOUND)
    young_core = 0.5 * burst * galaxy.young_fraction * heart / heart.sum()
    knots = stars.young > 8 * np.median(stars.young)
    width = _widths(sky, SPHEROID_WIDTH if galaxy.kind == "spheroid" else WIDTH)
    width[knots] = np.minimum(0.7 * width[knots], 0.15 * galaxy.scale_kpc)
    return (
        np.concatenate([nucleus + cusp.offset, sky]),
        np.concatenate([old_core, stars.old]),
        np.concatenate([young_core, young]),
        np.concatenate([1.2 * cusp.spacing, width]),
    )


def _burst(plan: Plan, galaxy: GalaxyPlan, clock: Clock) -> float:
    """Star formation over that of the undisturbed disc, after the first passage and around coalescence.

    Two bursts of about 0.1 to 0.2 Gyr, the later one stronger (Mihos & Hernquist 1996, ApJ 464, 641).
    """
    since, final = clock.since(clock.events.pericentre), clock.since(clock.events.coalescence)
    first = math.exp(-since / 0.15) if since > 0 else 0.0
    last = math.exp(-((final / 0.12) ** 2)) if final < 0 else math.exp(-final / 0.2)
    return plan.burst * plan.mass_ratio**0.5 * (first + 1.5 * last) if galaxy.kind == "disc" else 0.0


def _rows(which: int) -> slice:
    return slice(0, MOVING[0]) if which == 0 else slice(MOVING[0], sum(MOVING))


def _widths(sky: Array, share: float) -> Array:
    distance = cKDTree(sky).query(sky, k=[NEIGHBOURS + 1])[0][:, 0]
    return np.asarray(share * distance)


def _torn(members: tuple[Stars, Stars], centres: Array, position: Array) -> Array:
    far = np.ones(len(position), dtype=bool)
    for stars, centre in zip(members, centres, strict=True):
        far &= np.linalg.norm(position - centre, axis=1) > stars.extent_kpc
    return far


def _half_light(points: Array, light: Array) -> float:
    radius = np.linalg.norm(points, axis=1)
    order = np.argsort(radius)
    inside = np.cumsum(light[order])
    return float(radius[order][np.searchsorted(inside, 0.5 * inside[-1])])


def _truth(plan: Plan, clock: Clock, apart: float, apart_3d: float, tidal: float) -> MergerTruth:
    return MergerTruth(
        mass_ratio=plan.mass_ratio,
        time_since_pericentre_gyr=clock.since(clock.events.pericentre),
        separation_kpc=apart,
        separation_3d_kpc=apart_3d,
        pericentre_kpc=float(clock.events.closest_kpc[clock.row]),
        spin_orbit_1_deg=math.degrees(plan.galaxies[0].spin[0]),
        spin_orbit_2_deg=math.degrees(plan.galaxies[1].spin[0]),
        tidal_fraction=tidal,
        stage=clock.stage,
    )

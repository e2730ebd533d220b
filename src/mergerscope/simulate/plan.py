"""What an encounter is made of: every number that is drawn before anything moves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["GalaxyPlan", "Plan", "draw_plan", "random_rotation"]

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GalaxyPlan:
    """One of the two galaxies before the encounter.

    Attributes:
        kind: a disc with a bulge, or a spheroid.
        mass: of stars, 1e10 Msun; the potential's core.
        scale_kpc: of the potential's core.
        extent: scale length of the moving stars over ``scale_kpc``.
        light: r-band light over mass, relative to the other galaxy's.
        bulge_fraction: share of the old light in the part that stays bound to the nucleus.
        bulge_radius: effective radius of that part over ``scale_kpc``.
        bulge_index: its Sersic index.
        bulge_axis_ratio: on the sky.
        bulge_angle: of its major axis on the sky, rad.
        young_fraction: share of the r-band light in young stars, before the encounter.
        arms: number of spiral arms; 0 without.
        arm_contrast: 0 to 1, of the young stars.
        arm_pitch: pitch angle, rad.
        clumps: share of the young light in knots.
        spin: polar angle (0 prograde, pi retrograde) and azimuth of the disc's axis, rad.
    """

    kind: Literal["disc", "spheroid"]
    mass: float
    scale_kpc: float
    extent: float
    light: float
    bulge_fraction: float
    bulge_radius: float
    bulge_index: float
    bulge_axis_ratio: float
    bulge_angle: float
    young_fraction: float
    arms: int
    arm_contrast: float
    arm_pitch: float
    clumps: float
    spin: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One encounter and the moment and side from which it is seen.

    Attributes:
        galaxies: primary and secondary.
        pericentre: closest approach of the orbit over the primary's scale.
        binding: see `mergerscope.simulate.orbit.incoming`; 0 is parabolic.
        friction: Coulomb logarithm.
        phase: -1 (start) to 0 (first pericentre) to 1 (coalescence) to 2 (`AFTERMATH_GYR` later).
        view: (2, 3) as nested tuples: the directions in space that become x and y on the sky.
        burst: strength of the starburst that gas driven inwards feeds, relative to the young light.
        centring: where a survey puts the middle: 0 on the brighter nucleus, 1 on the light's centroid if close.
        seed: of the particles.
    """

    galaxies: tuple[GalaxyPlan, GalaxyPlan]
    pericentre: float
    binding: float
    friction: float
    phase: float
    view: tuple[tuple[float, float, float], tuple[float, float, float]]
    burst: float
    centring: float
    seed: int

    @property
    def mass_ratio(self) -> float:
        """Secondary over primary."""
        return self.galaxies[1].mass / self.galaxies[0].mass


def random_rotation(rng: np.random.Generator) -> Array:
    """Return a rotation matrix (3, 3), uniform over all orientations (Shoemake 1992: a random unit quaternion)."""
    w, x, y, z = (quaternion := rng.normal(size=4)) / math.sqrt(float(quaternion @ quaternion))
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def draw_plan(rng: np.random.Generator) -> Plan:
    """Draw an encounter.

    Mass ratios are log-uniform from 1:1 to 1:10 but fewer towards the small end, for an equal pair is what gets
    noticed. Orbits are near parabolic, as almost half are in cosmological simulations (Khochfar & Burkert 2006, A&A
    445, 403). Pericentres are a few scale lengths: those simulations have wider ones more often (half beyond half a
    virial radius), which leave no trace that a survey sees. A third of the galaxies are spheroids, and alike galaxies
    meet more often than not.
    """
    mass = 10 ** float(np.clip(rng.normal(0.5, 0.35), -0.3, 1.3))
    ratio = 10 ** -float(rng.beta(1.0, 1.9))
    red = rng.uniform() < 0.36
    primary = _draw_galaxy(mass, spheroid=red, rng=rng)
    secondary = _draw_galaxy(mass * ratio, spheroid=bool(red if rng.uniform() < 0.4 else rng.uniform() < 0.3), rng=rng)
    view = random_rotation(rng)
    return Plan(
        galaxies=(primary, secondary),
        pericentre=float(rng.uniform(0.5, 1.0) * 10 ** rng.uniform(0.0, 0.75)),
        binding=float(rng.uniform(0.0, 0.75)),
        friction=float(rng.uniform(2.5, 5.0)),
        phase=_draw_phase(rng),
        view=(tuple(view[0].tolist()), tuple(view[1].tolist())),
        burst=float(rng.lognormal(math.log(0.8), 0.6)),
        centring=float(rng.uniform()),
        seed=int(rng.integers(2**63)),
    )


def _draw_phase(rng: np.random.Generator) -> float:
    """Most pairs that people call mergers are near a passage or near the end: far apart they are just neighbours."""
    part = rng.uniform()
    if part < 0.10:
        return -0.4 * float(rng.beta(1.0, 1.8))
    if part < 0.45:
        return 0.16 * float(rng.uniform())
    if part < 0.60:
        return float(rng.uniform())
    if part < 0.86:
        return 1 - 0.4 * float(rng.beta(1.0, 1.2))
    return 1 + float(rng.beta(0.8, 2.0))


def _draw_galaxy(mass: float, *, spheroid: bool, rng: np.random.Generator) -> GalaxyPlan:
    # Shen et al. (2003, MNRAS 343, 978): size rises with mass to the power of 0.55 for early types, 0.4 for massive and
    # 0.15 for faint late ones, with a scatter of 0.3 to 0.5 in the natural logarithm; here one power for all
    scale = 2.6 * (mass / 3) ** 0.35 * float(rng.lognormal(0.0, 0.18))
    gas = 0.0 if spheroid else float(np.clip(rng.beta(1.5, 2.9) - 0.1 * math.log10(mass), 0.0, 0.85))
    return GalaxyPlan(
        kind="spheroid" if spheroid else "disc",
        mass=mass,
        scale_kpc=scale,
        extent=float(rng.uniform(0.75, 1.15)),
        light=float(rng.lognormal(0.0, 0.2)) * (1 + gas),
        bulge_fraction=float(rng.uniform(0.4, 0.6) if spheroid else np.clip(rng.lognormal(-1.4, 0.55), 0.04, 0.6)),
        bulge_radius=float(rng.uniform(0.5, 0.8) if spheroid else rng.uniform(0.15, 0.35)),
        bulge_index=float(rng.uniform(2.0, 3.6) if spheroid else rng.uniform(1.0, 3.0)),
        bulge_axis_ratio=float(rng.uniform(0.6, 1.0)),
        bulge_angle=float(rng.uniform(0, math.pi)),
        young_fraction=gas,
        arms=int(rng.choice([0, 2, 2, 2, 3, 4])),
        arm_contrast=float(rng.uniform(0.2, 0.8)),
        arm_pitch=math.radians(float(rng.uniform(12, 30))),
        clumps=float(rng.uniform(0.02, 0.14)),
        spin=(math.acos(1 - 2 * float(rng.uniform()) ** 1.2), float(rng.uniform(0, 2 * math.pi))),
    )

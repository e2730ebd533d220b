"""Disc galaxies: bulge, exponential disc, bar, logarithmic arms, clumps of young stars, ring and dust.

Bulges, bars and discs are drawn by GalSim; arms, clumps and dust modulate the disc in its own plane.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mergerscope.simulate.light import Grid, Stars, disc, grid, sersic, smooth

__all__ = ["Disc", "draw_disc", "draw_dwarf", "draw_lenticular", "paint_disc"]

Map = NDArray[np.float32]

HALF_LIGHT = 1.678
"""Half-light radius of an exponential disc in scale lengths."""


@dataclass(frozen=True, slots=True)
class Disc:
    """The structure of a galaxy with a disc; lengths in half-light radii of the galaxy, angles in its plane.

    Attributes:
        tilt: inclination, 0 face-on.
        thickness: scale height over scale length.
        bulge_fraction: of the total light.
        bulge_radius: half-light radius.
        bulge_index: Sersic index.
        young: share of young stars in the disc's r-band light.
        arms: number of arms; 0 without.
        pitch: angle of the arms with a circle; its sign is their sense.
        contrast: of the arms, 0 to 1.
        patchy: amplitude of the disc's patchiness, in e-folds.
        clumpy: share of the total light in clumps.
        bar: share of the total light in a bar.
        bar_radius: half-light radius of the bar.
        bar_angle: of the bar.
        ring: amplitude of a ring; 0 without.
        dust: optical depth in r through the middle of the disc, seen face-on.
        seed: of its details.
    """

    tilt: float
    thickness: float
    bulge_fraction: float
    bulge_radius: float
    bulge_index: float
    young: float
    arms: int = 0
    pitch: float = 0.35
    contrast: float = 0.0
    patchy: float = 0.0
    clumpy: float = 0.0
    bar: float = 0.0
    bar_radius: float = 0.4
    bar_angle: float = 0.0
    ring: float = 0.0
    dust: float = 0.0
    seed: int = 0


def draw_disc(absolute: float, tilt: float, rng: np.random.Generator) -> Disc:
    """Draw a spiral.

    Bulges grow with luminosity (Simard et al. 2011, arXiv:1107.1518); a third have bars and most two arms
    (Masters et al. 2011, arXiv:1003.0449; Willett et al. 2013, arXiv:1308.3496); pitch angles 10 to 35 degrees
    (Kennicutt 1981, AJ 86, 1847).
    """
    bright = 1 / (1 + math.exp((absolute + 20.6) / 0.7))
    bulge = float(np.clip(rng.beta(1.5, 6) * (0.3 + 0.8 * bright), 0.0, 0.6))
    barred = rng.uniform() < 0.35
    grand = rng.uniform() < 0.35 + 0.4 * bright
    return Disc(
        tilt=tilt,
        thickness=rng.uniform(0.08, 0.2),
        bulge_fraction=bulge,
        bulge_radius=rng.uniform(0.12, 0.35),
        bulge_index=float(np.clip(rng.normal(1.4 + 3 * bulge, 0.6), 0.8, 4.0)),
        young=float(np.clip(rng.normal(0.72 - 0.32 * bright - 0.4 * bulge, 0.15), 0.08, 0.95)),
        arms=int(rng.choice([1, 2, 3, 4, 5], p=[0.06, 0.62, 0.16, 0.10, 0.06])),
        pitch=math.radians(rng.uniform(10, 34)) * float(rng.choice([-1, 1])),
        contrast=rng.uniform(0.45, 1.0) if grand else rng.uniform(0.0, 0.4),
        patchy=rng.uniform(0.15, 0.4) if grand else rng.uniform(0.25, 0.65),
        clumpy=float(rng.beta(1.1, 9)) * (1.2 - 0.6 * bright),
        bar=rng.uniform(0.05, 0.2) if barred else 0.0,
        bar_radius=rng.uniform(0.28, 0.5),
        bar_angle=rng.uniform(0, math.pi),
        ring=rng.uniform(0.5, 1.5) if rng.uniform() < 0.07 else 0.0,
        dust=float(rng.gamma(2.0, 0.15)),
        seed=int(rng.integers(2**32)),
    )


def draw_lenticular(tilt: float, rng: np.random.Generator) -> Disc:
    """Draw a lenticular: a large bulge in a smooth disc of old stars."""
    return Disc(
        tilt=tilt,
        thickness=rng.uniform(0.18, 0.35),
        bulge_fraction=rng.uniform(0.15, 0.6),
        bulge_radius=rng.uniform(0.25, 0.5),
        bulge_index=rng.uniform(1.4, 3.6),
        young=max(rng.normal(0.06, 0.06), 0.0),
        bar=rng.uniform(0.04, 0.12) if rng.uniform() < 0.2 else 0.0,
        bar_angle=rng.uniform(0, math.pi),
        ring=rng.uniform(0.3, 0.8) if rng.uniform() < 0.06 else 0.0,
        seed=int(rng.integers(2**32)),
    )


def draw_dwarf(tilt: float, rng: np.random.Generator) -> Disc:
    """Draw an irregular dwarf: hardly a bulge, patchy, blue, with a few large clumps (Hunter & Elmegreen 2006)."""
    return Disc(
        tilt=tilt,
        thickness=rng.uniform(0.25, 0.45),
        bulge_fraction=rng.uniform(0, 0.06),
        bulge_radius=0.3,
        bulge_index=1.0,
        young=float(np.clip(rng.normal(0.75, 0.15), 0.2, 1.0)),
        patchy=rng.uniform(0.4, 0.9),
        clumpy=float(rng.beta(1.3, 6)),
        seed=int(rng.integers(2**32)),
    )


def paint_disc(what: Disc, where: Grid, flux: float, radius_arcsec: float, angle: float) -> Stars:
    """Return the stars and dust of a disc galaxy.

    Args:
        what: its structure.
        where: the field.
        flux: total r-band light before its own dust.
        radius_arcsec: half-light radius, major axis.
        angle: of the major axis, from +x to +y.
    """
    rng = np.random.default_rng(what.seed)
    length_arcsec = radius_arcsec / HALF_LIGHT
    disc_flux = flux * (1 - what.bulge_fraction - what.bar)
    plain = disc(where, disc_flux, length_arcsec, what.tilt, angle, what.thickness)
    old = (1 - what.young) * plain
    spheroid = max(math.cos(what.tilt) ** 2, 0.5)
    if what.bulge_fraction > 0:
        bulge_arcsec = radius_arcsec * what.bulge_radius
        old = old + sersic(where, flux * what.bulge_fraction, bulge_arcsec, what.bulge_index, spheroid, angle)
    if what.bar > 0:
        ratio, turn = _bar_on_sky(what)
        bar_arcsec = radius_arcsec * what.bar_radius
        old = old + sersic(where, flux * what.bar, bar_arcsec, 0.7, ratio, angle + turn)
    # seen from the side, or too small to show any, a disc has no structure but its dust
    length_px = length_arcsec / where.pixel_arcsec
    u, v = grid(where, angle)
    squeeze = math.sqrt(math.cos(what.tilt) ** 2 + 0.5 * what.thickness**2)
    x, y = u / np.float32(length_px), v / np.float32(length_px * squeeze)
    r = np.sqrt(x**2 + y**2) + np.float32(0.05)
    theta = np.arctan2(y, x)
    pattern, crest = _pattern(what, r, theta, rng)
    if what.tilt > 1.25:
        pattern = 1 + 0.3 * (pattern - 1)
    young = plain * pattern * (r / (r + np.float32(0.7)))
    young *= what.young * (1 - what.clumpy) * plain.sum() / max(float(young.sum()), 1e-12)
    if what.clumpy > 0 and what.young > 0.1:
        share = what.clumpy * what.young * float(plain.sum())
        young = young + _clumps(what, where, share, (length_px, squeeze, angle), rng)
    if what.arms:
        old = old + 0.25 * what.contrast * (1 - what.young) * plain * (crest - 1)
    return Stars(np.maximum(old, 0), young, _dust(what, u / np.float32(length_px), v / np.float32(length_px), r, crest))


def _pattern(what: Disc, r: Map, theta: Map, rng: np.random.Generator) -> tuple[Map, Map]:
    """Brightness of the young disc relative to its mean, and of its arms alone, each of mean about 1."""
    log_r = np.log(np.maximum(r, np.float32(0.15)))
    wound = theta - log_r / np.float32(math.tan(what.pitch))
    crest = np.ones_like(r)
    if what.arms and what.contrast > 0:
        start = max(HALF_LIGHT * what.bar_radius * 1.6 if what.bar else 0.6, 0.5)
        inner = 1 / (1 + np.exp(-(r - np.float32(start)) / np.float32(0.2)))
        sharp = rng.uniform(1.0, 3.0)
        phase = what.arms * (wound - np.float32(what.bar_angle))
        uneven = 1 + np.float32(0.35) * np.cos(wound + np.float32(rng.uniform(0, 6.3)))
        crest += what.contrast * uneven * inner * (np.exp(sharp * np.cos(phase)) / np.float32(np.i0(sharp)) - 1)
        crest = np.maximum(crest, np.float32(0.02))
    rough = np.zeros_like(r)
    waves = 10 if what.patchy else 0
    for _ in range(waves):
        turns, radial = int(rng.integers(1, 9)), rng.normal(0, 3.5)
        # without arms patches are round, and do not follow a spiral
        around, outwards = (wound, log_r) if what.arms else (theta, r)
        rough += np.cos(turns * around + np.float32(radial) * outwards + np.float32(rng.uniform(0, 6.3)))
    rough *= np.float32(what.patchy * math.sqrt(2 / max(waves, 1)))
    pattern = crest * np.exp(np.minimum(rough, 2.5))
    if what.ring:
        place = np.float32(rng.uniform(1.3, 2.2))
        pattern = pattern + 3 * what.ring * np.exp(-0.5 * ((r - place) / np.float32(0.22)) ** 2)
    return np.asarray(pattern, np.float32), np.asarray(crest, np.float32)


def _clumps(
    what: Disc, where: Grid, share: float, plane: tuple[float, float, float], rng: np.random.Generator
) -> Map:
    """Star-forming clumps in the disc, (H, W), brighter ones rarer (a power law of slope -2 in luminosity)."""
    length_px, squeeze, angle = plane
    number = int(rng.integers(3, 36))
    radius, theta = rng.gamma(2.6, 0.62, number), rng.uniform(0, 2 * math.pi, number)
    if what.arms and what.contrast > 0.3:
        # most lie on an arm, by turning them to the nearest crest
        wound = theta - np.log(np.maximum(radius, 0.15)) / math.tan(what.pitch) - what.bar_angle
        off = (wound * what.arms + math.pi) % (2 * math.pi) - math.pi
        theta = theta - 0.85 * off / what.arms
    bright = np.minimum(1 / rng.uniform(0.03, 1, number), 12)
    u, v = radius * np.cos(theta) * length_px, radius * np.sin(theta) * length_px * squeeze
    x = u * math.cos(angle) - v * math.sin(angle) + where.centre_px[0] + (where.size - 1) / 2
    y = u * math.sin(angle) + v * math.cos(angle) + where.centre_px[1] + (where.size - 1) / 2
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    inside = (column >= 0) & (column < where.size) & (row >= 0) & (row < where.size)
    points = np.bincount(row[inside] * where.size + column[inside], bright[inside], where.size**2)
    image = smooth(points.reshape(where.size, where.size).astype(np.float32), max(0.09 * length_px, 0.6))
    return np.maximum(image, 0) * np.float32(share / bright.sum())


def _dust(what: Disc, u: Map, v: Map, r: Map, crest: Map) -> Map | None:
    """Optical depth in r: a lane across a disc from the side, else thickest at the arms' inner edge."""
    if what.dust <= 0.02:
        return None
    if what.tilt > 1.3:
        # the near side's dust lies before half of the stars, a little off the middle
        lane = 0.35 * what.thickness + 0.03
        offset = 0.5 * what.thickness * math.cos(what.tilt) / 0.24
        depth = 3.0 * what.dust * np.exp(-0.5 * ((v - np.float32(offset)) / np.float32(lane)) ** 2 - np.abs(u) / 2.5)
        return np.asarray(-np.log(0.35 + 0.65 * np.exp(-depth)), np.float32)
    slant = 1 / max(math.cos(what.tilt), 0.4)
    return np.asarray(0.7 * what.dust * slant * np.exp(-r / 3) * (0.6 + 0.4 * np.minimum(crest, 3)), np.float32)


def _bar_on_sky(what: Disc) -> tuple[float, float]:
    """Axis ratio of the bar on the sky and its angle from the disc's major axis, for a bar 0.3 as wide as long."""
    x, y = math.cos(what.bar_angle), math.sin(what.bar_angle) * math.cos(what.tilt)
    seen = math.hypot(x, y)
    return float(np.clip(0.3 / max(seen, 0.3), 0.28, 0.9)), math.atan2(y, x)

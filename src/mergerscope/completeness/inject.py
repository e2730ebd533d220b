"""Simulated mergers in the place of the survey's own galaxies: on their sky, of their size, brightness and colour."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mergerscope.completeness.light import as_light, with_light
from mergerscope.completeness.photons import SKY_ELECTRONS, add_photon_noise
from mergerscope.completeness.point_spread import FWHM, PointSpread
from mergerscope.completeness.sky import Host, lift_host
from mergerscope.learn.compose import add_light, match_colour, stretched
from mergerscope.learn.encounters import tinted
from mergerscope.shards.sample import Pixels
from mergerscope.simulate.mergers import BOUND, MOVING, Merger, follow
from mergerscope.simulate.paint import SHARPEST, paint
from mergerscope.simulate.plan import Plan, draw_plan
from mergerscope.survey.stretch import FluxStretch

__all__ = ["TRUTH", "Injected", "draw_mergers", "half_light_radius", "inject", "plans", "single", "truth_row"]

Array = NDArray[Any]

TOGETHER = 64
"""Encounters followed at a time."""
STREAM = 1
"""Of the seed's random numbers: never those of the encounters that training may have seen, which have no third."""
FAR = 2.0
"""Half-light radii from the middle beyond which a nucleus is a galaxy of its own, which is not the one replaced."""
ROUNDS = 4
"""Of bringing size and brightness to those of the host."""
DEPTHS = (0.5, 100.0)
"""Softening of the asinh stretch, from the shallowest to the deepest: the peak in units of where it bends."""
HALVINGS = 10
"""Of the range of depths, in search of the one that fits."""
LONE_PHASE = -0.9
"""Of an encounter whose galaxies have hardly left the start: a single, undisturbed galaxy."""
TRUTH = (
    "mass_ratio", "separation_kpc", "separation_half_light_radii", "time_since_pericentre_gyr", "tidal_fraction",
    "stage",
)
"""What is told of an encounter."""


@dataclass(frozen=True, slots=True)
class Injected:
    """One cutout with a painted galaxy, and what was painted.

    Attributes:
        image: (C, H, W) as the shards hold it.
        brightness: light of the host that it replaces, mean of the channels, in pixels of full white; of a picture as
            it is displayed, of flux before it is stretched.
        fwhm_px: of the point spread that it was given.
        kpc_per_pixel: scale at which it was painted.
        both_inside: whether both nuclei lie in the cutout.
    """

    image: Pixels
    brightness: float
    fwhm_px: float
    kpc_per_pixel: float
    both_inside: bool


def draw_mergers(count: int, seed: int, alone: bool = False) -> Iterator[Merger]:
    """Yield mergers, none left out; number i depends on ``seed`` and i alone.

    Args:
        count: how many.
        seed: of all of them.
        alone: yield the primary galaxy of each alone, long before the encounter.
    """
    for first in range(0, count, TOGETHER):
        numbers = range(first, min(count, first + TOGETHER))
        drawn = plans(numbers, seed)
        if alone:
            yield from map(single, follow([replace(plan, phase=LONE_PHASE) for plan in drawn]))
        else:
            yield from follow(drawn)


def plans(numbers: Iterable[int], seed: int) -> list[Plan]:
    """Return what the encounters of these numbers are made of."""
    return [draw_plan(np.random.default_rng([seed, number, STREAM])) for number in numbers]


def single(merger: Merger) -> Merger:
    """Return the primary of an encounter alone, in the middle of the field."""
    # The primary's points come first, its bulge and then its moving stars.
    own = np.arange(len(merger.old)) < BOUND + MOVING[0]
    position = merger.position_kpc[own] - merger.nuclei_kpc[0]
    light = merger.old[own] + merger.young[own]
    order = np.argsort(np.linalg.norm(position, axis=1))
    inside = np.cumsum(light[order])
    half = np.linalg.norm(position, axis=1)[order][np.searchsorted(inside, 0.5 * inside[-1])]
    return replace(
        merger, position_kpc=position, old=merger.old[own] / light.sum(), young=merger.young[own] / light.sum(),
        width_kpc=merger.width_kpc[own], tidal=merger.tidal[own], nuclei_kpc=np.zeros((2, 2)),
        half_light_kpc=float(half),
    )


def inject(
    image: Pixels, merger: Merger, points: PointSpread, rng: np.random.Generator,
    sky_electrons: float = SKY_ELECTRONS, stretch: FluxStretch | None = None,
) -> Injected:  # fmt: skip
    """Put a merger in the place of the galaxy of a cutout.

    Light is painted at the cutout's pixel scale, blurred to the survey's point spread while it is still linear, then
    stretched for display as training's encounters are, and given the noise of its own photons. Flux stays linear: it
    is not stretched, and adds up. Where the two galaxies are far apart, the nearer one has the size and brightness of
    the host and the other comes on top.

    Args:
        image: (C, H, W) uint8, or float32 flux, with the host.
        merger: what to paint.
        points: the survey's point spread.
        rng: of the noise.
        sky_electrons: of sky in a pixel, see `mergerscope.completeness.photons`.
        stretch: of flux; None for pictures.
    """
    host = lift_host(as_light(image, stretch), rng, linear=stretch is not None)
    fwhm = points.at(host.sky.grain)
    smooth, bend, scale = _fitted(merger, host, fwhm, linear=stretch is not None)
    noisy = add_photon_noise(smooth, bend, host.sky, sky_electrons, rng)
    if stretch is None:
        light = torch.from_numpy(np.minimum(noisy, 1)).float()[None]
        background = torch.from_numpy(host.background).float()[None]
        seen = add_light(background, light)[0].numpy()
    else:
        seen = host.background + noisy
    half_field = scale * image.shape[1] / 2
    return Injected(
        with_light(image, seen, stretch), host.brightness, fwhm, scale,
        bool(np.abs(merger.nuclei_kpc).max() < half_field),
    )


def _fitted(merger: Merger, host: Host, fwhm: float, linear: bool) -> tuple[Array, float, float]:
    """Light (C, H, W) of the host's size, brightness, peak and colour; how it is bent, 0: not; its kpc a pixel.

    How deep a survey's display stretches is not known to us; that which gives the same total light the same peak is
    taken for it, or a merger would stand out by a core that no galaxy of the survey shows. Where light is ``linear``
    nothing is bent, and the peak is what it is.
    """
    theirs = torch.from_numpy(host.light).float()[None]
    grey = host.light.mean(axis=0)
    wanted, peak = max(half_light_radius(grey), 1.5), _peak(grey)
    size = grey.shape[0]
    scale = merger.half_light_kpc / wanted
    for turn in range(ROUNDS):
        populations, own = _blurred(merger, size, scale, fwhm)
        painted = tinted(populations, host.light.shape[0])
        painted = painted / (painted.mean(1) * torch.from_numpy(own)).amax().clamp_min(1e-12)
        lower, upper = (math.log(depth) for depth in DEPTHS)
        light, middle = painted, 0.0
        for _ in range(0 if linear else HALVINGS):
            middle = (lower + upper) / 2
            light = stretched(painted, torch.tensor([math.exp(middle)]))
            mine = light.mean(1)[0].numpy() * own
            # A deeper stretch lowers the peak of the same total.
            lower, upper = (middle, upper) if _peak(mine) * host.brightness > peak * mine.sum() else (lower, middle)
        mine = light.mean(1)[0].numpy() * own
        if turn < ROUNDS - 1:
            scale *= float(np.clip(half_light_radius(mine) / wanted, 0.5, 2.0))
    light = match_colour(light, theirs, torch.tensor([True]))
    inside = torch.from_numpy(own)
    factor = host.brightness / max(float((light * inside).mean(1).sum()), 1e-6)
    if linear:
        return (factor * light)[0].double().numpy(), 0.0, scale
    # What is clipped at white is missing from the sum: raised until it is there, or no longer comes.
    for _ in range(ROUNDS):
        shown = float(((factor * light).clamp(0, 1) * inside).mean(1).sum())
        factor *= float(np.clip(host.brightness / max(shown, 1e-6), 1.0, 1.5))
    # factor * asinh(depth x) / asinh(depth) is asinh(bend I) / bend, with I as bright as faint light is shown
    return (factor * light)[0].double().numpy(), math.asinh(math.exp(middle)) / factor, scale


def half_light_radius(light: Array) -> float:
    """Return the radius in pixels of the circle around the middle of (H, W) that holds half the light."""
    y, x = np.indices(light.shape)
    radius = np.hypot(y - (light.shape[0] - 1) / 2, x - (light.shape[1] - 1) / 2).ravel()
    order = np.argsort(radius, kind="stable")
    inside = np.cumsum(light.ravel()[order])
    return float(radius[order][min(np.searchsorted(inside, 0.5 * inside[-1]), len(order) - 1)])


def _peak(light: Array) -> float:
    """Of light (H, W) without its noise."""
    return float(gaussian_filter(light, 0.7).max())


def _blurred(merger: Merger, size: int, scale: float, fwhm: float) -> tuple[torch.Tensor, NDArray[np.bool_]]:
    """Old and young light (1, 2, H, W) under the point spread, and which pixels (H, W) are the middle galaxy's."""
    sigma = math.sqrt(max((fwhm / FWHM) ** 2 - SHARPEST**2, 0.0))
    margin = math.ceil(4 * sigma)
    wide = paint(merger, size + 2 * margin, scale)
    seen = gaussian_filter(wide, (0, sigma, sigma))[:, margin : margin + size, margin : margin + size]
    axis = (np.arange(size) - (size - 1) / 2) * scale
    x, y = np.meshgrid(axis, axis)
    own = np.ones((size, size), dtype=bool)
    for nucleus in merger.nuclei_kpc:
        if np.linalg.norm(nucleus) > FAR * merger.half_light_kpc:
            own &= np.hypot(x, y) < np.hypot(x - nucleus[0], y - nucleus[1])
    return torch.from_numpy(seen.copy()).float()[None], own


def truth_row(merger: Merger) -> tuple[float | str, ...]:
    """Return what `injected.csv` tells of an encounter, in the order of `TRUTH`."""
    told = merger.truth
    return (
        told.mass_ratio, told.separation_kpc, told.separation_kpc / merger.half_light_kpc,
        told.time_since_pericentre_gyr, told.tidal_fraction, told.stage,
    )

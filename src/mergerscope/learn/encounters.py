"""Simulated encounters as further positives of the `pairs` objective.

A galaxy laid over another has no tides: what gravity pulls out of two discs, tails, bridges and shells, is in no
pair of undisturbed galaxies. So a share of the positives is an encounter of `mergerscope.simulate` in the place of the
image's own galaxy: on its sky, of its size, brightness and mean colour. No label is used.

Shapes: B galaxies, C channels, H x W pixels. Images are what a canvas holds: pictures in 0...1, or linear flux.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Generator, Tensor

from mergerscope.learn.canvas import PICTURE, Canvas
from mergerscope.learn.compose import match_colour
from mergerscope.learn.views import draw_placement, place, uniform
from mergerscope.params import ViewsParams
from mergerscope.progress import progress
from mergerscope.simulate.mergers import Merger, follow
from mergerscope.simulate.paint import paint
from mergerscope.simulate.plan import draw_plan

__all__ = ["encounter_bank", "make_encounters", "tinted"]

BANK = 128
"""Encounters to draw from; each is seen turned, mirrored, scaled and coloured anew every time."""
TOGETHER = 64
"""Followed at a time."""
FIELD = 3.5
"""Side of a painted encounter, in half-light radii from the middle to the edge."""
NUCLEI = 0.6
"""Farthest apart of two nuclei, in half fields: a wider pair would be two galaxies to whoever looks."""
APART = 0.6
"""Least distance of two nuclei, in half-light radii, that is seen as two."""
TIDES = 0.2
"""Least share of the light in tails, bridges and shells where the two nuclei are already, or still, one."""
TINT = 0.3
"""How much redder old stars, and bluer young ones, are than both together, from the first channel to the last."""
SEEING = 0.8
"""Standard deviation, in pixels of the bank: no picture is sharper, and a cusp would be all of the peak."""
DEPTH = (2.0, 8.0)
"""Softening of the asinh stretch: the peak in units of where it bends."""
BRIGHTNESS = (0.8, 1.3)
"""Total light, in units of that of the galaxy that it replaces."""


def encounter_bank(size: int, seed: int, count: int = BANK) -> Tensor:
    """Return the light of old and of young stars in ``count`` encounters: (count, 2, size, size), peak 1.

    Encounters that nobody would tell from a single galaxy are left out: a positive must be one.

    Args:
        size: pixels a side.
        seed: of the encounters.
        count: how many.
    """
    painted: list[Tensor] = []
    drawn = 0
    with progress("train: simulating encounters", count, "encounters") as advance:
        while len(painted) < count:
            plans = [draw_plan(np.random.default_rng([seed, drawn + i])) for i in range(TOGETHER)]
            drawn += TOGETHER
            for merger in follow(plans):
                scale = 2 * FIELD * merger.half_light_kpc / size
                if len(painted) < count and _shows(merger, scale * size / 2):
                    seen = gaussian_filter(paint(merger, size, scale), (0, SEEING, SEEING))
                    light = torch.from_numpy(seen).float()
                    painted.append(light / light.sum(0).max())
                    advance(1)
    return torch.stack(painted)


def make_encounters(
    images: Tensor, bank: Tensor, views: ViewsParams, generator: Generator | None = None, canvas: Canvas = PICTURE
) -> Tensor:
    """Return images (B, C, H, W) with an encounter of the ``bank`` in the place of each one's own galaxy."""
    b, c = images.shape[:2]
    host = canvas.isolate(images)
    chosen = torch.randint(len(bank), (b,), device=images.device, generator=generator)
    light = tinted(bank[chosen], c)
    light = canvas.encounter(light, uniform(*DEPTH, b, images, generator))
    light = match_colour(light, host, torch.ones_like(chosen) > 0, canvas.black)
    # Bounded, for a picture without a galaxy has no size.
    size = (_effective_radius(host) / _effective_radius(light)).clamp(0.2, 3.0)
    placement = draw_placement(images, views, generator)
    light = place(light, replace(placement, scale=placement.scale * size))
    brightness = uniform(*BRIGHTNESS, b, images, generator) * host.sum((1, 2, 3)) / light.sum((1, 2, 3)).clamp_min(1e-4)
    light *= brightness[:, None, None, None]
    # What is left of the host is its sky and its neighbours.
    sky = place(images - host, draw_placement(images, views, generator))
    return canvas.add(sky, light.clamp_(*canvas.limits))


def _shows(merger: Merger, half_field_kpc: float) -> bool:
    nuclei = merger.nuclei_kpc
    inside = float(np.abs(nuclei).max()) < NUCLEI * half_field_kpc
    apart = float(np.linalg.norm(nuclei[1] - nuclei[0])) > APART * merger.half_light_kpc
    return inside and (apart or merger.truth.tidal_fraction > TIDES)


def _effective_radius(light: Tensor) -> Tensor:
    """Return (B,) sizes of light (B, C, H, W): the root of (sum of light)^2 / sum of light^2, in pixels.

    A disc of even brightness of radius r has the size r sqrt(pi).
    """
    flat = light.mean(1).flatten(1)
    return flat.sum(1) / flat.square().sum(1).sqrt().clamp_min(1e-30)


def tinted(populations: Tensor, channels: int) -> Tensor:
    """Return light (B, channels, H, W) of old and young stars (B, 2, H, W): `TINT` redder and bluer than both."""
    old, young = populations.unbind(1)
    tint = torch.linspace(TINT, -TINT, channels, device=populations.device)[None, :, None, None]
    return old[:, None] * (1 + tint) + young[:, None] * (1 - tint)

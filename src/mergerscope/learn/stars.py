"""Foreground stars, the commonest impostors: PSF-shaped, of any colour, often saturated."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from mergerscope.learn.views import uniform

__all__ = ["draw_stars", "star_light"]

WIDTH = (0.03, 0.15)
"""Moffat width in half fields: of a point source in ground-based seeing, wide where a small galaxy fills the field."""
PEAK = (0.2, 60.0)
"""Central brightness in units of the display's white, before saturation; drawn uniformly in its logarithm."""
COLOUR = 0.5
"""Standard deviation of the temperature: of the logarithm of the first channel's factor, and minus the last's."""
NEAR_SHARE = 0.5
"""Share of the stars that lie on the galaxy or touch it; the others lie anywhere in the field."""


def draw_stars(images: Tensor, galaxy_radius: Tensor, generator: Generator | None = None) -> Tensor:
    """Return a field like images (B, C, H, W), in 0...1, with one star each; see `star_light`."""
    light = star_light(images, galaxy_radius, generator)
    return light.div_(1 + light)


def star_light(images: Tensor, galaxy_radius: Tensor, generator: Generator | None = None) -> Tensor:
    """Return the light of one star each in a field like images (B, C, H, W), in units of white before saturation.

    The profile is Moffat's (1969, A&A 3, 455) with beta = 3. ``galaxy_radius`` (B,), in half fields, says where
    a star touches the central galaxy.
    """
    b, c, h, w = images.shape
    near = uniform(0, 1, b, images, generator) < NEAR_SHARE
    radius = torch.sqrt(uniform(0, 1, b, images, generator)) * torch.where(near, 1.5 * galaxy_radius, 1.0)
    angle = uniform(-math.pi, math.pi, b, images, generator)
    y = torch.linspace(-1, 1, h, device=images.device)[None, :, None]
    x = torch.linspace(-1, 1, w, device=images.device)[None, None, :]
    d2 = (x - (radius * torch.cos(angle))[:, None, None]) ** 2 + (y - (radius * torch.sin(angle))[:, None, None]) ** 2
    alpha = uniform(*WIDTH, b, images, generator)[:, None, None]
    profile = (1 + d2 / alpha**2).pow_(-3)
    low, high = (math.log(peak) for peak in PEAK)
    peak = torch.exp(uniform(low, high, b, images, generator))[:, None, None, None]
    # Along one axis, red to blue, as temperatures go: no star is green or purple.
    ramp = torch.linspace(1, -1, c, device=images.device)[None, :, None, None]
    colour = torch.exp(COLOUR * ramp * torch.randn(b, 1, 1, 1, device=images.device, generator=generator))
    return peak * colour * profile[:, None]

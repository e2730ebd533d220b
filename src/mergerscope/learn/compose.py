"""The parts that pictures of several galaxies are composed from: one galaxy's light alone, its size, its colour.

Shapes: B galaxies, C channels, H x W pixels. Images are float in 0...1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["add_light", "central_fade", "isolate", "isophotal_radius", "match_colour", "stretched"]

ISOPHOTE = 0.2
"""Of a galaxy's peak: the level at which its size is measured."""


def add_light(first: Tensor, second: Tensor) -> Tensor:
    """Lay the light of ``second`` over ``first`` (B, C, H, W), in place: 1 - (1 - first)(1 - second).

    In display-stretched images faint light adds up and bright light saturates; this does both, and cannot leave
    0...1.
    """
    return first.addcmul_(second, 1 - first)


def isolate(images: Tensor) -> Tensor:
    """Return the central galaxy of images (B, C, H, W) alone: the sky level taken off, the outskirts faded out.

    The fade keeps the edge of the pasted frame, and the frame's own neighbours, out of the picture: either would
    tell a pair from a single without any look at the galaxies.
    """
    rim = max(1, images.shape[2] // 16)
    strips = torch.cat([images[:, :, :rim].flatten(2), images[:, :, -rim:].flatten(2)], 2)
    sky = strips.median(2).values[:, :, None, None]
    return (images - sky).clamp_(0, 1).mul_(central_fade(images))


def central_fade(images: Tensor) -> Tensor:
    """Return weights (H, W), 1 in the middle, falling smoothly to 0 before the edge of images (B, C, H, W)."""
    h, w = images.shape[2:]
    y = torch.linspace(-1, 1, h, device=images.device)[:, None]
    x = torch.linspace(-1, 1, w, device=images.device)[None, :]
    fade = ((0.95 - torch.hypot(x, y)) / 0.35).clamp(0, 1)
    return fade * fade * (3 - 2 * fade)


def isophotal_radius(isolated: Tensor) -> Tensor:
    """Return (B,) radii, in half fields, of the circle with the area above `ISOPHOTE` of the peak."""
    light = isolated.mean(1).flatten(1)
    area = (light > ISOPHOTE * light.amax(1, keepdim=True)).float().mean(1)
    return (2 * torch.sqrt(area / math.pi)).clamp(0.05, 0.7)


def match_colour(images: Tensor, colour_of: Tensor, chosen: Tensor, black: float = 1e-4) -> Tensor:
    """Give images (B, C, H, W) the mean colour of ``colour_of`` where ``chosen`` (B,) is true; brightness stays.

    Means of a channel below ``black`` count as that.
    """
    mine, theirs = (x.flatten(2).mean(2).clamp_min(black) for x in (images, colour_of))
    factor = (theirs / theirs.mean(1, keepdim=True)) / (mine / mine.mean(1, keepdim=True))
    # A nearly black channel has no colour to speak of; without bounds it would blow up noise.
    factor = torch.where(chosen[:, None], factor.clamp(0.3, 3.0), torch.ones_like(factor))
    return images * factor[:, :, None, None]


def stretched(light: Tensor, depth: Tensor) -> Tensor:
    """Return light (B, C, H, W) of peak about 1 under an asinh stretch of its brightness, colours kept."""
    brightness = light.mean(1, keepdim=True).clamp_min(1e-6)
    bend = depth[:, None, None, None]
    return light * (torch.asinh(bend * brightness) / torch.asinh(bend) / brightness)

"""Random views of galaxies, made in batch and on the device, with one resampling a view.

Shapes: B galaxies, C channels, H x W pixels. Images are float in 0...1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from mergerscope.params import ViewsParams

__all__ = ["Placement", "draw_placement", "photometric", "place", "uniform"]

# The full range of each augmentation, reached at strength 1.
SHIFT = 0.06
"""Largest shift of the centre, as a fraction of the field."""
ZOOM_OUT = 1.15
"""Largest field of view, as a fraction of the cutout; what lies beyond it is sky."""
GAIN = 0.35
"""Standard deviation of the logarithm of the brightness factor."""
COLOUR = 0.10
"""Standard deviation of the logarithm of each channel's own factor."""
SKY = 0.02
"""Standard deviation of the added sky level."""
NOISE = 0.05
"""Largest standard deviation of the added noise."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How each of B galaxies is laid into the field; every entry has shape (B,)."""

    angle: Tensor
    """Of the turn, radians, clockwise as displayed: from rightwards to downwards."""
    mirror: Tensor
    """-1 where the galaxy is mirrored, else 1."""
    scale: Tensor
    """Size in units of its own; 1 / scale is the field of view."""
    shift_x: Tensor
    """Of the centre, to the right, in half fields (-1...1 spans the field)."""
    shift_y: Tensor
    """Of the centre, downwards, in half fields."""


def uniform(low: float, high: float, count: int, like: Tensor, generator: Generator | None) -> Tensor:
    """Draw (count,) numbers uniformly from low...high, on the device of ``like``."""
    return low + (high - low) * torch.rand(count, device=like.device, generator=generator)


def draw_placement(images: Tensor, views: ViewsParams, generator: Generator | None = None) -> Placement:
    """Draw a random placement for each of images (B, C, H, W).

    Rotation and mirror image are symmetries of the sky: they are complete at any strength above 0, while zoom
    and shift grow with it.
    """
    count, s = len(images), views.strength
    turn = math.pi if s > 0 else 0.0
    mirror = torch.sign(uniform(-1, 1, count, images, generator)) if s > 0 else torch.ones(count, device=images.device)
    field = uniform(1 - s * (1 - views.min_field), 1 + s * (ZOOM_OUT - 1), count, images, generator)
    return Placement(
        angle=uniform(-turn, turn, count, images, generator),
        mirror=torch.where(mirror == 0, 1.0, mirror),
        scale=1 / field,
        shift_x=uniform(-2 * SHIFT * s, 2 * SHIFT * s, count, images, generator),
        shift_y=uniform(-2 * SHIFT * s, 2 * SHIFT * s, count, images, generator),
    )


def place(images: Tensor, placement: Placement) -> Tensor:
    """Resample images (B, C, H, W) once, bilinearly, by rotation, mirror image, scale and shift; sky is 0."""
    h, w = images.shape[2:]
    # grid_sample asks where each output pixel comes from, so this is the inverse of the placement. The grid is
    # built by broadcasting because F.affine_grid takes as long as the resampling itself.
    cos, sin = torch.cos(placement.angle) / placement.scale, torch.sin(placement.angle) / placement.scale
    x = _centres(w, images)[None, None, :] - placement.shift_x[:, None, None]
    y = _centres(h, images)[None, :, None] - placement.shift_y[:, None, None]
    mirror = placement.mirror[:, None, None]
    grid = torch.empty(len(images), h, w, 2, device=images.device)
    grid[..., 0] = (mirror * cos[:, None, None]) * x + (mirror * sin[:, None, None]) * y
    grid[..., 1] = cos[:, None, None] * y - sin[:, None, None] * x
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def photometric(images: Tensor, strength: float, generator: Generator | None = None) -> Tensor:
    """Change brightness, colour, sky level, sharpness and noise of images (B, C, H, W), in place; all in 0...1."""
    if strength == 0:
        return images.clamp_(0, 1)
    b, c = images.shape[:2]

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, device=images.device, generator=generator)

    _blur_(images, uniform(0, strength, b, images, generator)[:, None, None, None])
    images *= torch.exp(strength * (GAIN * normal(b, 1, 1, 1) + COLOUR * normal(b, c, 1, 1)))
    noise = _noise(images, generator)
    noise *= uniform(0, strength * NOISE, b, images, generator)[:, None, None, None]
    noise += strength * SKY * normal(b, 1, 1, 1)
    return images.add_(noise).clamp_(0, 1)


def _centres(count: int, like: Tensor) -> Tensor:
    """Pixel centres along one axis, in half fields."""
    return (2 * torch.arange(count, device=like.device) + 1) / count - 1


def _blur_(images: Tensor, amount: Tensor) -> None:
    """Blend ``amount`` (B, 1, 1, 1) of the binomial [1 4 6 4 1] / 16 blur (sigma 1 pixel) into images, in place.

    Slices and not a convolution: a grouped convolution over so few channels is five times as slow on a CPU.
    """
    side = amount / 4
    before = torch.empty_like(images)
    for axis in (2, 3):
        for _ in range(2):
            before.copy_(images)
            n = images.shape[axis]
            images *= 1 - 2 * side
            images.narrow(axis, 1, n - 1).addcmul_(before.narrow(axis, 0, n - 1), side)
            images.narrow(axis, 0, n - 1).addcmul_(before.narrow(axis, 1, n - 1), side)


def _noise(images: Tensor, generator: Generator | None) -> Tensor:
    """Return unit white noise of the shape of images: random windows into one bank, redrawn at each call."""
    # A fresh draw for every pixel would take longer than all the rest of a view.
    b, size = len(images), images[0].numel()
    bank = torch.randn(2 * size, device=images.device, generator=generator)
    start = torch.randint(0, size, (b,), device=images.device, generator=generator)
    return torch.stack([bank.narrow(0, s, size) for s in start.tolist()]).view_as(images)

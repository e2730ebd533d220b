"""Synthetic mergers and their impostors, made from unlabelled galaxies alone.

A positive is a galaxy with the light of a second one laid over it so close that the two overlap. A negative is a
galaxy as it is, or with an impostor: a neighbour far enough out not to touch it, or a foreground star. The encoder
learns to tell them apart, and with it what two galaxies on top of each other look like. No label is used.

Distances are measured in the two galaxies' own sizes, not in fields of view: what makes a merger is overlap, and
surveys cut their cutouts in many ways.

Shapes: B galaxies, C channels, H x W pixels. Images are what a canvas holds, pictures in 0...1 or linear flux; what
comes out is in 0...1.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Generator, Tensor

from mergerscope.learn.canvas import PICTURE, Canvas
from mergerscope.learn.compose import match_colour
from mergerscope.learn.encounters import make_encounters
from mergerscope.learn.views import Placement, draw_placement, place, uniform
from mergerscope.params import PairsParams, ViewsParams

__all__ = ["make_pairs", "make_singles", "random_view"]

TWIN_SHARE = 0.3
"""Share of the second galaxies that are the first itself, turned: equal in size and colour."""
COLOUR_SHARE = 0.5
"""Share of the second galaxies that take the first one's mean colour: galaxies that merge are at one redshift."""
NEIGHBOUR_SHARE = 0.35
"""Share of the singles that get a neighbour that does not touch them."""
STAR_SHARE = 0.35
"""Share of the pictures, pairs and singles alike, that get a foreground star."""
NEIGHBOUR_SEPARATION = (1.5, 2.6)
NEIGHBOUR_SIZE = (0.25, 1.0)
NEIGHBOUR_FLUX = (0.15, 1.2)
FARTHEST = 0.85
"""Largest offset of the second galaxy's centre, in half fields: it must be in the picture."""


def make_pairs(
    images: Tensor, pairs: PairsParams, views: ViewsParams, generator: Generator | None = None,
    bank: Tensor | None = None, canvas: Canvas = PICTURE,
) -> Tensor:
    """Return a synthetic merger for each of images (B, C, H, W).

    It is the galaxy itself with the next one of the batch, or its own twin, laid over it. Where a ``bank`` of
    encounters is given (see `mergerscope.learn.encounters`), a share `pairs.encounters` is one of these instead.
    """
    both = _beside(images, pairs.separation, pairs.size_ratio, pairs.flux_ratio, views, generator, canvas, clear=False)
    if bank is not None:
        tidal = torch.nonzero(uniform(0, 1, len(images), images, generator) < pairs.encounters).squeeze(1)
        both[tidal] = make_encounters(images[tidal], bank, views, generator, canvas)
    # Stars fall on mergers as often as on singles: else a star would be a mark of the singles.
    return canvas.finish(_with_stars(both, generator, canvas), views.strength, generator)


def make_singles(
    images: Tensor, views: ViewsParams, generator: Generator | None = None, canvas: Canvas = PICTURE
) -> Tensor:
    """Return a view of each of images (B, C, H, W) that is no merger: alone, or beside an impostor."""
    first = place(images, draw_placement(images, views, generator))
    near = torch.nonzero(uniform(0, 1, len(images), images, generator) < NEIGHBOUR_SHARE).squeeze(1)
    if len(near) > 1:
        first[near] = _beside(
            images[near], NEIGHBOUR_SEPARATION, NEIGHBOUR_SIZE, NEIGHBOUR_FLUX, views, generator, canvas, clear=True
        )
    return canvas.finish(_with_stars(first, generator, canvas), views.strength, generator)


def random_view(
    images: Tensor, views: ViewsParams, generator: Generator | None = None, canvas: Canvas = PICTURE
) -> Tensor:
    """Return one random view of each of images (B, C, H, W), with nothing added."""
    return canvas.finish(place(images, draw_placement(images, views, generator)), views.strength, generator)


def _with_stars(images: Tensor, generator: Generator | None, canvas: Canvas) -> Tensor:
    """Put a foreground star on a share of images (B, C, H, W), in place."""
    starry = torch.nonzero(uniform(0, 1, len(images), images, generator) < STAR_SHARE).squeeze(1)
    if len(starry):
        chosen = images[starry]
        radius = canvas.radius(canvas.isolate(chosen))
        images[starry] = canvas.add(chosen, canvas.stars(chosen, radius, generator))
    return images


def _beside(
    images: Tensor,
    separation: tuple[float, float],
    size: tuple[float, float],
    flux: tuple[float, float],
    views: ViewsParams,
    generator: Generator | None,
    canvas: Canvas,
    *,
    clear: bool,
) -> Tensor:
    """Return images (B, C, H, W), each with a second galaxy at a separation in units of their radii's sum.

    A second galaxy that would stand outside the picture is moved in. Where it must be ``clear`` of the first and
    even the least separation is too far out, there is none: moved in, it would be a merger with the wrong label.
    """
    b = len(images)
    alone = canvas.isolate(images)
    twin = uniform(0, 1, b, images, generator) < TWIN_SHARE
    partner = torch.where(twin[:, None, None, None], alone, alone.roll(1, 0))
    partner = match_colour(partner, alone, uniform(0, 1, b, images, generator) < COLOUR_SHARE, canvas.black)
    first = draw_placement(images, views, generator)
    scale = uniform(*size, b, images, generator)
    reach = canvas.radius(alone) * first.scale + canvas.radius(partner) * scale
    room = separation[0] * reach <= FARTHEST if clear else torch.ones_like(twin)
    offset = (uniform(*separation, b, images, generator) * reach).clamp(max=FARTHEST)
    direction = uniform(-math.pi, math.pi, b, images, generator)
    second: Placement = replace(
        draw_placement(images, views, generator),
        scale=scale,
        shift_x=first.shift_x + offset * torch.cos(direction),
        shift_y=first.shift_y + offset * torch.sin(direction),
    )
    light = place(partner, second) * (room * uniform(*flux, b, images, generator))[:, None, None, None]
    return canvas.add(place(images, first), light)

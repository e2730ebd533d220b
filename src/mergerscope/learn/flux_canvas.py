"""Views of images that hold flux: light adds up linearly, and dust, seeing and noise change before the stretch.

Shapes: B galaxies, C channels (the bands that the stretch shows, red first), H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from mergerscope.learn.canvas import Canvas
from mergerscope.learn.compose import central_fade, isophotal_radius
from mergerscope.learn.conditions import (
    EBV,
    NOISE,
    PIXEL_ARCSEC,
    POINT_SPREAD,
    add_noise,
    added,
    blur,
    extinction,
    fit_of,
    transmission,
)
from mergerscope.learn.stars import draw_stars, star_light
from mergerscope.survey.stretch import FluxStretch

__all__ = ["Flux", "sky_noise"]

SMOOTHED = 1.5
"""Standard deviation in pixels of the blur under which a galaxy's light is told from noise."""
VISIBLE = 0.5
"""Signal to noise of a pixel, smoothed so, where half of the light is taken for the galaxy's."""
TINY = 1e-30
"""Flux that stands for none, in any unit: what it divides stays finite in float32."""
CLEAREST = 1e6
"""Signal to noise beyond which more says nothing; where a rim holds no noise, it has no bound."""
MAD = 1.4826
"""Standard deviation of a Gaussian in median absolute deviations."""


@dataclass(frozen=True)
class Flux(Canvas):
    """Of images that hold flux.

    Attributes:
        stretch: at the end.
        noise: (C,) median noise of a pixel in the survey's own images, in their unit: the published distribution of
            noise is taken relative to its median, so that it serves any survey, unit and size of pixels. Where these
            are the Legacy Surveys' it is what was published.
        pixel_arcsec: side of a pixel, by which the published widths of the point spread are brought to pixels.
        ebv_of: E(B-V) (B,) of galaxies by their ids, NaN where it is not known; None where of none.
        ebv: (B,) of the present galaxies.
    """

    stretch: FluxStretch
    noise: Tensor
    pixel_arcsec: float
    ebv_of: Callable[[Sequence[str]], Tensor] | None = None
    ebv: Tensor | None = None

    limits = (0.0, None)
    black = TINY  # a faint galaxy has a colour too, and units differ by many powers of ten

    def begin(
        self, images: Tensor, ids: Sequence[str], strength: float, generator: Generator | None
    ) -> tuple[Tensor, Canvas]:
        """Take the bands that are shown, and the dust in front of them off."""
        light = self.stretch.select(images)
        dust = extinction(self.stretch.kind, self.stretch.shown)
        if strength == 0 or dust is None:
            return light, self
        ebv = EBV.draw(len(light), light, generator)
        if self.ebv_of is not None:
            known = self.ebv_of(ids).to(ebv)
            ebv = torch.where(known.isnan(), ebv, known)
        return light / transmission(ebv, dust), replace(self, ebv=ebv)

    def split(self, galaxies: int, chunk: int) -> list[Canvas]:
        """Each with the dust of its own galaxies."""
        if self.ebv is None:
            return [self] * -(-galaxies // chunk)
        return [replace(self, ebv=part) for part in torch.split(self.ebv, chunk)]

    def add(self, first: Tensor, second: Tensor) -> Tensor:
        """Flux adds up."""
        return first.add_(second)

    def isolate(self, light: Tensor) -> Tensor:
        """Return what stands out of the noise in the middle, without the sky.

        Noise that came with a galaxy would add to that of the image it is laid over, and tell a pair from a single
        without any look at the galaxies.
        """
        rim = max(1, light.shape[2] // 16)
        sky, spread = _sky(light, rim)
        alone = light - sky
        strength = (alone / spread.clamp_min(TINY)).clamp(-CLEAREST, CLEAREST).mean(1, keepdim=True)
        seen = blur(strength, torch.full_like(strength[:, :, 0, 0], SMOOTHED)).clamp_min_(0).square_()
        return alone.mul_(seen / (seen + VISIBLE**2)).clamp_min_(0).mul_(central_fade(light))

    def radius(self, isolated: Tensor) -> Tensor:
        """See `mergerscope.learn.compose.isophotal_radius`: of the galaxy as it is shown, above the shown sky."""
        shown = self.stretch.bend(isolated) - self.stretch.bend(torch.zeros_like(isolated))
        return isophotal_radius(shown.clamp_min_(0))

    def stars(self, light: Tensor, galaxy_radius: Tensor, generator: Generator | None) -> Tensor:
        """Linear; saturating where each image is brought to its own brightest pixel, which no star may set alone."""
        paint = draw_stars if self.stretch.kind == "linear" else star_light
        unit: Tensor = self.stretch.unit_light(light)
        return paint(light, galaxy_radius, generator) * unit

    def encounter(self, light: Tensor, depth: Tensor) -> Tensor:
        """As it is."""
        return light

    def finish(self, light: Tensor, strength: float, generator: Generator | None) -> Tensor:
        """Change dust, point spread and noise (see `mergerscope.learn.conditions`), and stretch."""
        if strength > 0:
            light = self._elsewhere(light, strength, generator)
        images: Tensor = self.stretch.bend(light)
        return images

    def _elsewhere(self, light: Tensor, strength: float, generator: Generator | None) -> Tensor:
        shown, count = self.stretch.shown, len(light)
        dust = extinction(self.stretch.kind, shown)
        if self.ebv is not None and dust is not None:
            new = EBV.draw(count, light, generator)
            light = light * transmission(self.ebv + strength * (new - self.ebv), dust)
        width = added(POINT_SPREAD, shown, count, light, generator) * (PIXEL_ARCSEC / self.pixel_arcsec)
        light = blur(light, strength * width)
        median = torch.tensor([fit_of(NOISE, band).median for band in shown], device=light.device)
        sigma = added(NOISE, shown, count, light, generator) * (self.noise.to(light) / median)
        return add_noise(light, strength * sigma, generator)


def sky_noise(light: Tensor) -> Tensor:
    """Return the noise (C,) of a pixel of sky: the median over images (B, C, H, W), of the rim of each.

    A rim without any noise was not observed, and is left out; 0 where all are.
    """
    spread = _sky(light, max(1, light.shape[2] // 8))[1][:, :, 0, 0]
    return torch.where(spread > 0, spread, torch.nan).nanmedian(0).values.nan_to_num(0)


def _sky(light: Tensor, rim: int) -> tuple[Tensor, Tensor]:
    """Level and noise (B, C, 1, 1) of the rows at the upper and the lower edge."""
    strips = torch.cat([light[:, :, :rim].flatten(2), light[:, :, -rim:].flatten(2)], 2)
    level = strips.median(2, keepdim=True).values
    spread = MAD * (strips - level).abs().median(2).values
    return level[..., None], spread[:, :, None, None]

"""What views are painted on: how light adds up, what is a galaxy's own, and what comes at the end.

A picture is stretched already: light that is laid over light saturates, and brightness, colour, sharpness and noise can
only be changed as a whole. Flux is linear (see `mergerscope.learn.flux_canvas`).

Shapes: B galaxies, C channels, H x W pixels. Light is what the canvas composes: for pictures float in 0...1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Generator, Tensor

from mergerscope.learn.compose import add_light, isolate, isophotal_radius, stretched
from mergerscope.learn.stars import draw_stars
from mergerscope.learn.views import photometric

__all__ = ["PICTURE", "Canvas", "Picture"]


class Canvas(ABC):
    """How light is composed; the views of `mergerscope.learn.pairs` are made with nothing but these."""

    limits: tuple[float, float | None]
    """Between which light can lie."""
    black: float
    """Mean light of a galaxy's channel below which it has no colour (`mergerscope.learn.compose.match_colour`)."""

    @abstractmethod
    def begin(
        self, images: Tensor, ids: Sequence[str], strength: float, generator: Generator | None
    ) -> tuple[Tensor, Canvas]:
        """Return the light of images as the shards hold them, and the canvas for just these galaxies."""

    @abstractmethod
    def split(self, galaxies: int, chunk: int) -> list[Canvas]:
        """Return a canvas for each of the parts that ``torch.split(light, chunk)`` makes."""

    @abstractmethod
    def add(self, first: Tensor, second: Tensor) -> Tensor:
        """Lay light over light, in place of the first."""

    @abstractmethod
    def isolate(self, light: Tensor) -> Tensor:
        """Return the central galaxy alone."""

    @abstractmethod
    def radius(self, isolated: Tensor) -> Tensor:
        """Return (B,) radii in half fields of galaxies that stand alone, as they are seen."""

    @abstractmethod
    def stars(self, light: Tensor, galaxy_radius: Tensor, generator: Generator | None) -> Tensor:
        """Return a field with one star each (see `mergerscope.learn.stars`)."""

    @abstractmethod
    def encounter(self, light: Tensor, depth: Tensor) -> Tensor:
        """Return an encounter's linear light (B, C, H, W) of peak 1 as the canvas holds light."""

    @abstractmethod
    def finish(self, light: Tensor, strength: float, generator: Generator | None) -> Tensor:
        """Change the light as other conditions would have, and return images in 0...1."""


class Picture(Canvas):
    """Of images that are stretched for display: uint8, as most surveys give them to eyes."""

    limits = (0.0, 1.0)
    black = 1e-4

    def begin(
        self, images: Tensor, ids: Sequence[str], strength: float, generator: Generator | None
    ) -> tuple[Tensor, Canvas]:
        """Bring uint8 to 0...1."""
        return images.float() / 255, self

    def split(self, galaxies: int, chunk: int) -> list[Canvas]:
        """One and the same."""
        return [self] * -(-galaxies // chunk)

    def add(self, first: Tensor, second: Tensor) -> Tensor:
        """Faint light adds up, bright light saturates (`mergerscope.learn.compose.add_light`)."""
        return add_light(first, second)

    def isolate(self, light: Tensor) -> Tensor:
        """See `mergerscope.learn.compose.isolate`."""
        return isolate(light)

    def radius(self, isolated: Tensor) -> Tensor:
        """See `mergerscope.learn.compose.isophotal_radius`."""
        return isophotal_radius(isolated)

    def stars(self, light: Tensor, galaxy_radius: Tensor, generator: Generator | None) -> Tensor:
        """Saturating at white."""
        return draw_stars(light, galaxy_radius, generator)

    def encounter(self, light: Tensor, depth: Tensor) -> Tensor:
        """Stretched by ``depth`` (B,), for how deep the survey's display stretches is not known."""
        return stretched(light, depth)

    def finish(self, light: Tensor, strength: float, generator: Generator | None) -> Tensor:
        """See `mergerscope.learn.views.photometric`."""
        return photometric(light, strength, generator)


PICTURE = Picture()


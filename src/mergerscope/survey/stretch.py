"""From flux to 0...1, for networks and for eyes: one mapping for pictures of a simulated sky, training and display.

Named stretches and ``lupton`` are the asinh stretch of Lupton et al. (2004, PASP 116, 133): all channels of a pixel
are multiplied by the same number, so its colour does not depend on its brightness. ``linear`` brings each image's
faintest pixel to 0 and its brightest to 1.

Everything here works on numpy arrays and on torch tensors alike, and gives back what it was given.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mergerscope.errors import ParameterError
from mergerscope.params import FluxParams

__all__ = ["FLUX_STRETCHES", "STRETCHES", "FluxStretch", "Stretch", "lupton_rgb"]

Light = Any
"""A numpy array or a torch tensor (..., C, H, W)."""

RED_FIRST = (
    "W4", "W3", "W2", "W1", "K", "Ks", "H", "J", "Y", "y", "z", "i", "VIS", "r", "g", "u", "NUV", "FUV",
)  # fmt: skip
"""Bands in the order in which they are shown, from red to blue."""
TINY = 1e-30
"""Range of an image without any; flux has any unit."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """How bands become channels, such as red, green and blue.

    Attributes:
        bands: names of the bands shown, red first.
        scale: what each is multiplied by, per nanomaggy in a native pixel: the white balance and the slope at
            faint levels (1 would be white).
        softening: Q of Lupton et al. (2004): below 1 / Q of white the mapping is linear, above it logarithmic.
        pedestal: added to each channel's scaled flux, so that noise below the sky is not all cut off, or more of it
            is; () adds nothing.
        keep_colour: what is too bright for white keeps its colour, as in the paper; else each channel is cut off on
            its own, as in SDSS's pictures, where the cores of stars are white.
    """

    bands: tuple[str, ...]
    scale: tuple[float, ...]
    softening: float
    pedestal: tuple[float, ...] = ()
    keep_colour: bool = True


STRETCHES = {
    # Balance 1 : 1.5 : 2.5 as SDSS shows i, r and g; slope, softening and pedestal were set so that the sky's noise
    # and the brightness of galaxies of known magnitude come out as in the cutout service's pictures.
    "sdss": Stretch(("i", "r", "g"), (2.37, 2.8, 4.6), 7.0, (-0.010, -0.004, -0.021), keep_colour=False),
    # The viewer of the Legacy Surveys (github.com/legacysurvey/imagine, sdss_rgb) multiplies z, i, r and g by 2.2, 3,
    # 3.4 and 6, adds 0.03, and each channel by asinh(20 I) / (sqrt(20) I): here sqrt(20) is in slope and pedestal.
    "legacy": Stretch(("z", "r", "g"), (9.84, 15.2, 26.8), 4.47, (0.134, 0.134, 0.134), keep_colour=False),
    # The same for equal brightness a square arcsecond, whose light falls on 2.43 times as many of HSC's pixels.
    "hsc": Stretch(("i", "r", "g"), (32.6, 37.0, 65.3), 4.47, (0.134, 0.134, 0.134), keep_colour=False),
}
"""By survey."""

FLUX_STRETCHES = (*STRETCHES, "lupton", "linear")
"""Values of `flux.stretch`."""


@dataclass(frozen=True, slots=True)
class FluxStretch:
    """How the flux of one survey is brought to 0...1; part of a model's configuration.

    A named stretch shows its own three bands, found by name, and no other. ``lupton`` and ``linear`` show any number
    of bands, from red to blue where all names are known (`RED_FIRST`), else in the order of the images.

    Attributes:
        kind: legacy, sdss, hsc, lupton or linear.
        bands: of the images, in their order.
        softening: Q of ``lupton``.
        scale: of ``lupton``: what each of ``bands`` is multiplied by; 1 is white at faint levels' slope.
        bin: pixels of the survey, a side, whose sum is one of the images'; a named stretch is made for one pixel.
    """

    kind: str
    bands: tuple[str, ...]
    softening: float = 0.0
    scale: tuple[float, ...] = ()
    bin: int = 1

    @classmethod
    def of(cls, flux: FluxParams, bands: tuple[str, ...], unit: str) -> FluxStretch:
        """Return the stretch that the parameters ask for, of images in ``bands`` and ``unit``.

        Raises:
            ParameterError: the images lack one of its bands, are in counts where it needs nanomaggies, or ``lupton``
                has another number of factors than there are bands.
        """
        if flux.stretch == "lupton":
            scale = flux.scale * len(bands) if len(flux.scale) == 1 else flux.scale
            if len(scale) != len(bands):
                raise ParameterError(
                    f"flux.scale in params.yaml has {len(scale)} factors, and the images have {len(bands)} bands "
                    f"({', '.join(bands)}). Give one for each, in this order, or one for all."
                )
            return cls("lupton", bands, flux.softening, scale)
        if flux.stretch == "linear":
            return cls("linear", bands)
        wanted = STRETCHES[flux.stretch].bands
        if not set(wanted) <= set(bands):
            fitting = [name for name, other in STRETCHES.items() if set(other.bands) <= set(bands)]
            others = [*fitting, "lupton (any bands)", "linear (any bands)"]
            raise ParameterError(
                f"flux.stretch: {flux.stretch} shows the bands {', '.join(wanted)}, and the images have "
                f"{', '.join(bands)}. Set flux.stretch in params.yaml to {' or '.join(others)}, or pack the bands "
                "that it shows (flux.bands, then `mergerscope shard`)."
            )
        if unit != "nanomaggy":
            raise ParameterError(
                f"flux.stretch: {flux.stretch} is made for nanomaggies, and the images are in units of {unit!r}. Set "
                "flux.zero_point in params.yaml and run `mergerscope shard` again, or take flux.stretch: lupton with "
                "a flux.scale of your own, or linear."
            )
        return cls(flux.stretch, bands, bin=flux.bin)

    @property
    def shown(self) -> tuple[str, ...]:
        """The band behind each channel that comes out."""
        if self.kind in STRETCHES:
            return STRETCHES[self.kind].bands
        return tuple(sorted(self.bands, key=RED_FIRST.index)) if set(self.bands) <= set(RED_FIRST) else self.bands

    @property
    def fits(self) -> bool:
        """Whether the bands are those that it needs, with a factor each where it needs these."""
        return set(self.shown) <= set(self.bands) and (self.kind != "lupton" or len(self.scale) == len(self.bands))

    def __call__(self, flux: Light) -> Light:
        """Return images (..., len(shown), H, W) float32 in 0...1 of flux (..., len(bands), H, W); NaN is sky."""
        return self.bend(self.select(flux))

    def select(self, flux: Light) -> Light:
        """Return the flux (..., len(shown), H, W) of the bands that are shown; still linear, NaN as 0."""
        if flux.shape[-3] != len(self.bands):
            raise ValueError(f"flux has {flux.shape[-3]} channels, and there are {len(self.bands)} bands: {self.bands}")
        return _library(flux).nan_to_num(flux[..., [self.bands.index(band) for band in self.shown], :, :])

    def bend(self, light: Light) -> Light:
        """Return what `select` gave, stretched to 0...1."""
        if self.kind == "linear":
            lowest, highest = _ends(light)
            return (light - lowest) / (highest - lowest).clip(min=TINY)
        return _bent(light, self._asinh)

    def unit_light(self, light: Light) -> Light:
        """Return the flux (..., len(shown) or 1, 1, 1) that faint light's slope would bring to 1."""
        if self.kind == "linear":
            lowest, highest = _ends(light)
            return (highest - lowest).clip(min=TINY)
        return 1 / _column(self._asinh.scale, light)

    @property
    def white_level(self) -> float:
        """Flux a pixel that comes out about white; 1 where every image has its own."""
        return 1.0 if self.kind == "linear" else 1 / min(self._asinh.scale)

    @property
    def _asinh(self) -> Stretch:
        if named := STRETCHES.get(self.kind):
            return replace(named, scale=tuple(factor / self.bin**2 for factor in named.scale))
        factors = dict(zip(self.bands, self.scale, strict=True))
        return Stretch(self.shown, tuple(factors[band] for band in self.shown), self.softening)


def lupton_rgb(flux: NDArray[np.floating], stretch: Stretch) -> NDArray[np.uint8]:
    """Map flux to a picture (Lupton et al. 2004, eqs. 1 and 2).

    With the scaled channels r, g, b and their mean I, each is multiplied by asinh(Q I) / (Q I). With
    ``keep_colour``, where the largest of the three would pass white, all three are divided by it.

    Args:
        flux: (3, H, W) in nanomaggies a pixel, in the order of ``stretch.bands``; NaN is shown as sky.
        stretch: of the survey.

    Returns:
        uint8 (H, W, 3), red, green, blue.

    Raises:
        ValueError: ``flux`` is not (3, H, W).
    """
    if flux.ndim != 3 or flux.shape[0] != 3:
        raise ValueError(f"flux has the shape {flux.shape}; three bands (3, H, W) are shown as red, green and blue")
    channels = _bent(np.nan_to_num(flux).astype(np.float32), stretch)
    return np.ascontiguousarray(np.rint(255 * channels).astype(np.uint8).transpose(1, 2, 0))


def _bent(light: Light, stretch: Stretch) -> Light:
    """Stretch (..., C, H, W), in the order of ``stretch.bands``, to 0...1."""
    floor = _column(stretch.pedestal, light) if stretch.pedestal else 0
    channels = (light * _column(stretch.scale, light) + floor).clip(min=0)
    bent = stretch.softening * channels.mean(axis=-3, keepdims=True).clip(min=1e-9)
    channels *= _library(light).arcsinh(bent) / bent
    if stretch.keep_colour:
        channels /= _library(light).amax(channels, axis=-3, keepdims=True).clip(min=1)
    return channels.clip(max=1)


def _ends(light: Light) -> tuple[Light, Light]:
    library, axes = _library(light), (-3, -2, -1)
    return library.amin(light, axis=axes, keepdims=True), library.amax(light, axis=axes, keepdims=True)


def _column(values: tuple[float, ...], like: Light) -> Light:
    library = _library(like)
    return library.asarray(values, dtype=library.float32, device=like.device)[:, None, None]


def _library(light: Light) -> Any:
    """Return numpy or torch: whichever made ``light`` is loaded already, and a survey can be read without torch."""
    return np if isinstance(light, np.ndarray) else sys.modules[type(light).__module__.partition(".")[0]]

"""Photon noise of painted light, as a survey would have it that shows its pictures stretched.

Shapes: C channels, H x W pixels. Displayed values are float, 1 is white.

How many photons stand behind a displayed picture cannot be read from it. What can be measured is the noise of its sky,
and the noise of light F over a sky of brightness S is sqrt(F / S) times that of the sky, whatever the gain, the pixel
and the exposure. So one number is assumed, `SKY_ELECTRONS`: it says how bright the sky is in units of its own noise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from mergerscope.completeness.sky import Sky, sky_noise

__all__ = ["SKY_ELECTRONS", "add_photon_noise"]

Array = NDArray[Any]

SKY_ELECTRONS = 700.0
"""Electrons of sky in a pixel of the pictures: about those of SDSS's r band (20.87 mag in a square arcsecond, pixels of
0.396 arcsec, 950 electrons a nanomaggy). Deeper surveys, and pictures whose pixels are several of the camera's, have
more, and less photon noise beside that of their sky."""
ONE_SIGMA = 0.8413447
"""Share of a Gaussian below its mean plus one standard deviation: the lower half of a sky may be clipped at black."""
STEPS = 2000
"""Of the Gaussian distribution from which the noise is drawn."""


def add_photon_noise(light: Array, bend: float, sky: Sky, electrons: float, rng: np.random.Generator) -> Array:
    """Return displayed light (C, H, W) with the noise of its own photons.

    The display shows a brightness I, mean of the channels, as asinh(bend I) / bend, and keeps colours: faint light is
    shown as it is; with a bend of 0 all light is. Noise is added before that, with the grain of the sky's, each channel
    its own.

    Args:
        light: displayed, without noise and above the sky.
        bend: of the display, see above.
        sky: of the cutout, whose noise is shown where the display is still straight.
        electrons: of sky in a pixel.
        rng: where the noise comes from.
    """
    shown = np.maximum(light.mean(axis=0), 1e-9)
    flux = light * (np.sinh(bend * shown) / bend / shown) if bend else light
    upper = np.quantile(sky.values, ONE_SIGMA, axis=1)
    sigma = np.maximum(upper - sky.level, 0.25 / 255)[:, None, None]
    spread = np.sqrt(np.maximum(flux, 0) * sigma / math.sqrt(electrons))
    noisy = flux + spread * sky_noise(_gaussian(sky), (light.shape[1], light.shape[2]), rng)
    if not bend:
        return np.asarray(noisy)
    brightness = np.maximum(noisy.mean(axis=0), 1e-9)
    return np.asarray(noisy * (np.arcsinh(bend * brightness) / bend / brightness))


def _gaussian(sky: Sky) -> Sky:
    """A sky of mean 0 and standard deviation 1 with the grain of this one and channels of their own."""
    channels = len(sky.values)
    return Sky(np.tile(ndtri((np.arange(STEPS) + 0.5) / STEPS), (channels, 1)), np.eye(channels), sky.grain)

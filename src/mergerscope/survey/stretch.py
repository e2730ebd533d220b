"""From flux to the colours that people look at: the asinh stretch of Lupton et al. (2004, PASP 116, 133).

One mapping for whatever shows flux: pictures of a simulated sky, display, training on flux images. All three channels
of a pixel are multiplied by the same number, so its colour does not depend on its brightness.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["STRETCHES", "Stretch", "lupton_rgb"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """How three bands become red, green and blue.

    Attributes:
        bands: names of the bands shown as red, green and blue.
        scale: what each is multiplied by, per nanomaggy in a native pixel: the white balance and the slope at
            faint levels (1 would be white).
        softening: Q of Lupton et al. (2004): below 1 / Q of white the mapping is linear, above it logarithmic.
        pedestal: added to each channel's scaled flux, so that noise below the sky is not all cut off, or more of it is.
        keep_colour: what is too bright for white keeps its colour, as in the paper; else each channel is cut off on
            its own, as in SDSS's pictures, where the cores of stars are white.
    """

    bands: tuple[str, str, str]
    scale: tuple[float, float, float]
    softening: float
    pedestal: tuple[float, float, float] = (0.0, 0.0, 0.0)
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
    slope = np.asarray(stretch.scale, np.float32)[:, None, None]
    floor = np.asarray(stretch.pedestal, np.float32)[:, None, None]
    channels = np.maximum(np.nan_to_num(flux).astype(np.float32) * slope + floor, 0)
    mean = channels.mean(axis=0)
    bent = stretch.softening * np.maximum(mean, 1e-9)
    channels *= np.arcsinh(bent) / bent
    if stretch.keep_colour:
        channels /= np.maximum(channels.max(axis=0), 1)
    channels = np.minimum(channels, 1)
    return np.ascontiguousarray(np.rint(255 * channels).astype(np.uint8).transpose(1, 2, 0))

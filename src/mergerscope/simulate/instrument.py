"""Three imaging surveys as telescopes: bands, pixels, point spread, sky, gain and noise, night by night.

Light comes in nanomaggies a pixel, (bands, H, W), and leaves as sky-subtracted counts in the same unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mergerscope.simulate.psf import Psf

__all__ = ["SURVEYS", "Band", "Night", "Survey", "draw_night", "expose", "sky_sigma"]

Array = NDArray[np.float64]
Light = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Band:
    """One filter of a survey.

    Attributes:
        name: g, r, i, z or y.
        fwhm_arcsec: median full width at half maximum of the point spread.
        sky_mag: of one square arcsecond of sky, AB.
        electrons: collected per nanomaggy over all exposures.
        read_electrons: read and dark noise of a pixel, all exposures together.
        saturation: nanomaggies a pixel at which the detector is full.
    """

    name: str
    fwhm_arcsec: float
    sky_mag: float
    electrons: float
    read_electrons: float
    saturation: float


@dataclass(frozen=True, slots=True)
class Survey:
    """A survey as a telescope, in the order of its bands.

    Attributes:
        name: sdss, legacy or hsc.
        pixel_arcsec: side of a pixel.
        bands: the filters.
        drift_scan: the bands see the sky minutes apart, so a satellite crosses only one of them.
    """

    name: str
    pixel_arcsec: float
    bands: tuple[Band, ...]
    drift_scan: bool


SURVEYS = {
    # York et al. (2000, astro-ph/0006396), Gunn et al. (1998, astro-ph/9809085): 54 s a band, gains 3.9 to 5.1 e/DN
    "sdss": Survey("sdss", 0.396, (
        Band("g", 1.33, 21.90, 1010.0, 5.5, 450.0), Band("r", 1.22, 20.87, 950.0, 5.5, 450.0),
        Band("i", 1.16, 20.27, 790.0, 6.0, 500.0),
    ), drift_scan=True),
    # Dey et al. (2019, arXiv:1804.08657): DECam, two exposures of three, 166, 134 and 200 s together, which is 5 sigma
    # at g 24.0, r 23.4, z 22.5 for their faint galaxies. Zero points of one electron a second (g 26.61, r 26.82,
    # z 26.48) and the dark sky are those by which the survey set its exposures (github.com/legacysurvey/obsbot)
    "legacy": Survey("legacy", 0.262, (
        Band("g", 1.30, 22.04, 7310.0, 8.5, 36.0), Band("r", 1.18, 20.91, 7150.0, 8.5, 36.0),
        Band("z", 1.11, 18.46, 7850.0, 8.5, 33.0),
    ), drift_scan=False),
    # Aihara et al. (2018, arXiv:1704.05858): 8.2 m, 10 to 20 minutes, 5 sigma near g 26.5, r 26.1, i 25.9. The sky is
    # that of the observatory's guide for Suprime-Cam, 0.4 darker in z, so that the noise of the survey's coadds comes
    # out; full wells hold 150,000 electrons in one exposure of four (g, r) or six
    "hsc": Survey("hsc", 0.168, (
        Band("g", 0.77, 21.4, 240000.0, 9.0, 2.5), Band("r", 0.73, 20.6, 240000.0, 9.0, 2.5),
        Band("i", 0.58, 19.7, 370000.0, 11.0, 2.4), Band("z", 0.68, 18.7, 190000.0, 11.0, 4.7),
        Band("y", 0.68, 17.9, 90000.0, 11.0, 10.0),
    ), drift_scan=False),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Night:
    """The conditions of one field, with one number a band.

    Attributes:
        survey: whose telescope.
        pixel_arcsec: of the image that is made; a whole multiple of the survey's where it is binned.
        psf: point spread.
        shift_arcsec: (bands, 2) error of the astrometry, x and y.
        sky_mag: of one square arcsecond.
        residual: (bands, 3) what sky subtraction leaves, in noise of a pixel: level, slope along x and along y from
            the middle of the field to its side.
        reddening_mag: Galactic E(B-V).
        spikes_rad: direction of the diffraction spikes.
    """

    survey: Survey
    pixel_arcsec: float
    psf: tuple[Psf, ...]
    shift_arcsec: Array
    sky_mag: Array
    residual: Array
    reddening_mag: float
    spikes_rad: float

    def binned(self, factor: int) -> Night:
        """Return the same night seen in pixels ``factor`` times as wide."""
        return replace(self, pixel_arcsec=factor * self.survey.pixel_arcsec)


def draw_night(survey: Survey, rng: np.random.Generator) -> Night:
    """Draw conditions as they vary over a survey: seeing by about a tenth, the sky by a fifth, dust lognormally."""
    count = len(survey.bands)
    seeing = rng.lognormal(0.0, 0.10)
    width = [band.fwhm_arcsec * seeing * rng.lognormal(0, 0.03) for band in survey.bands]
    wings = 0.035 * rng.lognormal(0, 0.3)
    residual = rng.normal(0, 1, size=(count, 3)) * np.array([0.07, 0.04, 0.04])
    residual[:, 0] += rng.normal(0, 0.13)
    return Night(
        survey=survey,
        pixel_arcsec=survey.pixel_arcsec,
        psf=tuple(Psf(fwhm, wings) for fwhm in width),
        shift_arcsec=rng.normal(0, 0.05, size=(count, 2)),
        sky_mag=np.array([band.sky_mag for band in survey.bands]) + rng.normal(0, 0.12) + rng.normal(0, 0.05, count),
        residual=residual,
        reddening_mag=float(np.clip(rng.lognormal(math.log(0.027), 0.6), 0.005, 0.2)),
        spikes_rad=rng.uniform(0, math.pi / 2),
    )


def sky_sigma(night: Night) -> Array:
    """Return the noise (bands,) of a pixel without a source, in nanomaggies: Poisson noise of the sky, and reading.

    Binned pixels are read one by one: the read noise adds in quadrature.
    """
    electrons = np.array([band.electrons for band in night.survey.bands])
    read = np.array([band.read_electrons for band in night.survey.bands])
    pixels = (night.pixel_arcsec / night.survey.pixel_arcsec) ** 2
    return np.asarray(np.sqrt(_sky_electrons(night) + pixels * read**2) / electrons)


def expose(light: Light, night: Night, rng: np.random.Generator) -> Light:
    """Add noise to light that has passed the point spread, and what is left of the sky after its subtraction.

    Poisson noise of source and sky is Gaussian here: a pixel of sky holds hundreds of electrons.

    Args:
        light: (bands, H, W) in nanomaggies a pixel.
        night: conditions.
        rng: where the numbers come from.

    Returns:
        float32 (bands, H, W).
    """
    electrons = np.array([band.electrons for band in night.survey.bands])[:, None, None]
    full = np.array([band.saturation for band in night.survey.bands])[:, None, None]
    sigma = sky_sigma(night)[:, None, None]
    full = full * (night.pixel_arcsec / night.survey.pixel_arcsec) ** 2
    seen = np.minimum(light, full)
    spread = np.sqrt(sigma**2 + np.maximum(seen, 0) / electrons).astype(np.float32)
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in light.shape[1:])
    level, along_x, along_y = (night.residual[:, k, None, None].astype(np.float32) for k in range(3))
    left = sigma * (level + along_x * x[None, None, :] + along_y * y[None, :, None])
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    return np.asarray(seen + left + spread * noise, np.float32)


def _sky_electrons(night: Night) -> Array:
    nanomaggies = 10 ** (0.4 * (22.5 - night.sky_mag)) * night.pixel_arcsec**2
    return np.asarray(nanomaggies * np.array([band.electrons for band in night.survey.bands]))

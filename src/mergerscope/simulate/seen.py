"""How much of the truth could be seen: signal over noise of tails, second nuclei and companions, in r.

Noise is that of the sky and of the light itself over the area of the point spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mergerscope.simulate.galaxies import Galaxy
from mergerscope.simulate.instrument import Night, sky_sigma
from mergerscope.simulate.mergers import Merger
from mergerscope.simulate.psf import spread
from mergerscope.simulate.truth import Truth

__all__ = ["R", "Companion", "companion_snr", "galaxy_truth", "merger_truth", "star_snr", "with_companion"]

Map = NDArray[np.float32]

R = 1
"""Place of the r band in every survey's list of bands."""


@dataclass(frozen=True, slots=True)
class Companion:
    """Something unrelated beside the central galaxy.

    Attributes:
        separation_arcsec: from the centre.
        colour_difference: |difference in g - r|, mag.
        size_ratio: half-light radius over the central galaxy's; 0 of a star.
        snr: its brightness in the middle over the noise, per area of the point spread.
    """

    separation_arcsec: float
    colour_difference: float
    size_ratio: float
    snr: float


def galaxy_truth(galaxy: Galaxy, night: Night) -> Truth:
    """Say what an undisturbed galaxy shows."""
    resolution = galaxy.radius_arcsec / (0.5 * night.psf[R].fwhm_arcsec)
    disc = galaxy.disc
    if disc is None:
        return Truth(
            truth_class="elliptical", bulge_fraction=1.0, axis_ratio=galaxy.axis_ratio, detail_resolution=resolution
        )
    # arms blur where the seeing is as wide as they are, and drown where the disc is as faint as the sky's noise
    sharp = resolution**2 / (resolution**2 + 9.0)
    area = 2 * math.pi * galaxy.radius_arcsec**2 * galaxy.axis_ratio
    brightness = galaxy.flux / area * night.pixel_arcsec**2 / float(sky_sigma(night)[R])
    contrast = disc.contrast * sharp * brightness / (brightness + 1.0) * max(math.cos(disc.tilt), 0.1) ** 0.5
    return Truth(
        truth_class=galaxy.kind,  # type: ignore[arg-type]  # the kinds of galaxy are among the classes
        bulge_fraction=disc.bulge_fraction,
        axis_ratio=galaxy.axis_ratio,
        arms=disc.arms,
        arm_winding=float(np.clip((math.radians(34) - abs(disc.pitch)) / math.radians(24), 0, 1)),
        arm_contrast=float(np.clip(contrast, 0, 1)) if disc.arms else 0.0,
        bar=float(np.clip(5 * disc.bar, 0, 1)),
        clumpy=disc.clumpy,
        ring=disc.ring > 0,
        dust_lane=float(np.clip(disc.dust, 0, 1)) if galaxy.kind == "edge_on" else 0.0,
        detail_resolution=resolution,
    )


def with_companion(truth: Truth, companion: Companion, r90_arcsec: float) -> Truth:
    """Return the truth of a galaxy with something unrelated upon or beside it."""
    return replace(
        truth,
        second_nucleus_snr=companion.snr,
        separation_arcsec=companion.separation_arcsec,
        separation_r90=companion.separation_arcsec / r90_arcsec,
        colour_difference=companion.colour_difference,
        size_ratio=companion.size_ratio,
    )


def merger_truth(
    merger: Merger, light: Map, torn: Map, night: Night, half_light_arcsec: float, r90_arcsec: float
) -> Truth:
    """Say what an encounter shows.

    Args:
        merger: the encounter.
        light: (H, W) its light in r, before the point spread.
        torn: (H, W) the part of it in tails, bridges and shells.
        night: conditions.
        half_light_arcsec: of the central galaxy, or of both together once they touch.
        r90_arcsec: Petrosian.
    """
    seen = _blurred(light, night)
    per_kpc = half_light_arcsec / merger.half_light_kpc / night.pixel_arcsec
    nuclei = merger.nuclei_kpc * per_kpc
    noise, pixels = _noise(seen, night)
    excess = _blurred(torn, night) * math.sqrt(pixels) / noise
    axis = np.arange(light.shape[0]) - (light.shape[0] - 1) / 2
    outside = np.ones(light.shape, bool)
    for x, y in nuclei:
        outside &= np.hypot(axis[None, :] - x, axis[:, None] - y) > half_light_arcsec / night.pixel_arcsec
    tidal = float(np.percentile(excess[outside], 99.5)) if outside.any() else 0.0
    separation = math.dist(*merger.nuclei_kpc) * per_kpc * night.pixel_arcsec
    return Truth(
        truth_class="merger",
        bulge_fraction=0.3,
        axis_ratio=_axis_ratio(seen),
        detail_resolution=half_light_arcsec / (0.5 * night.psf[R].fwhm_arcsec),
        visible_tidal_snr=max(tidal, 0.0),
        second_nucleus_snr=_second_snr(seen, nuclei, noise, pixels),
        separation_arcsec=separation,
        separation_r90=separation / r90_arcsec,
        merger=merger.truth,
    )


def companion_snr(light: Map, centre_px: tuple[float, float], night: Night) -> float:
    """Return how bright the middle of an unrelated galaxy is over the noise, per area of the point spread.

    Args:
        light: (H, W) its light in r, before the point spread.
        centre_px: where it is from the field's centre.
        night: conditions.
    """
    seen = _blurred(light, night)
    place = _pixel(seen, centre_px)
    if place is None:
        return 0.0
    noise, pixels = _noise(seen, night)
    return max(float(seen[place] * math.sqrt(pixels) / noise[place]), 0.0)


def star_snr(magnitude: float, night: Night) -> float:
    """Return the same of a star of r-band ``magnitude``: half of its light lies on the area of the point spread."""
    flux, electrons = 10 ** (0.4 * (22.5 - magnitude)), night.survey.bands[R].electrons
    pixels = 1.13 * (night.psf[R].fwhm_arcsec / night.pixel_arcsec) ** 2
    return float(0.5 * flux / math.sqrt(pixels * sky_sigma(night)[R] ** 2 + 0.5 * flux / electrons))


def _blurred(light: Map, night: Night) -> Map:
    one = spread(light[None], night.psf[R : R + 1], np.zeros((1, 2)), night.pixel_arcsec)
    return np.asarray(one[0], np.float32)


def _noise(seen: Map, night: Night) -> tuple[Map, float]:
    """Noise (H, W) of a pixel in nanomaggies, and how many pixels the point spread covers."""
    electrons = night.survey.bands[R].electrons
    noise = np.sqrt(sky_sigma(night)[R] ** 2 + np.maximum(seen, 0) / electrons)
    return noise.astype(np.float32), max(1.13 * (night.psf[R].fwhm_arcsec / night.pixel_arcsec) ** 2, 1.0)


def _turned(image: Map, centre: NDArray[np.float64]) -> Map:
    """The image turned by half a circle about a place, to whole pixels; zero where it comes from outside."""
    size = image.shape[0]
    result = np.zeros_like(image)
    shift_x, shift_y = (round(2 * float(value)) for value in centre)
    source = image[::-1, ::-1]
    x0, x1 = max(shift_x, 0), min(size + shift_x, size)
    y0, y1 = max(shift_y, 0), min(size + shift_y, size)
    if x0 < x1 and y0 < y1:
        result[y0:y1, x0:x1] = source[y0 - shift_y : y1 - shift_y, x0 - shift_x : x1 - shift_x]
    return result


def _pixel(image: Map, place: NDArray[np.float64] | tuple[float, float]) -> tuple[int, int] | None:
    column, row = (round(float(value) + (image.shape[0] - 1) / 2) for value in place)
    return (row, column) if 0 <= row < image.shape[0] and 0 <= column < image.shape[1] else None


def _second_snr(seen: Map, nuclei: NDArray[np.float64], noise: Map, pixels: float) -> float:
    """Signal of the fainter nucleus above the other galaxy's light on the far side, over the noise."""
    places = [_pixel(seen, nucleus) for nucleus in nuclei]
    if places[0] is None or places[1] is None:
        return 0.0
    fainter = int(seen[places[1]] < seen[places[0]])
    mirrored = _turned(seen, nuclei[1 - fainter])
    place = places[fainter]
    assert place is not None
    return max(float((seen[place] - mirrored[place]) * math.sqrt(pixels) / noise[place]), 0.0)


def _axis_ratio(image: Map) -> float:
    """From the second moments of the light."""
    axis = np.arange(image.shape[0]) - (image.shape[0] - 1) / 2
    total = float(image.sum())
    columns, rows = image.sum(axis=0), image.sum(axis=1)
    x, y = float(columns @ axis) / total, float(rows @ axis) / total
    xx = float(columns @ (axis - x) ** 2) / total
    yy = float(rows @ (axis - y) ** 2) / total
    xy = float((axis - y) @ image @ (axis - x)) / total
    spread_of = math.hypot(xx - yy, 2 * xy)
    return math.sqrt(max((xx + yy - spread_of) / max(xx + yy + spread_of, 1e-9), 0.0))

"""Under which conditions flux may have been taken: dust in front, width of the point spread, noise.

Distributions are those with which Stein et al. (2021, arXiv:2110.00023) trained on the DESI Legacy Imaging Surveys:
lognormal fits to E(B-V), to the point spread and to the noise of the coadds, written down in their code
(github.com/georgestein/ssl-legacysurvey, decals_augmentations.py). An image has passed through dust, atmosphere and
detector already, so a view gets the difference between its own conditions and newly drawn ones, and no more: in
quadrature where both widths, or both noises, are Gaussian; nothing where the new ones are better. Where its own are
not known they are drawn from the same distribution, as there.

At strength s, E(B-V) goes the share s of the way from the old to the new value, and what is added to point spread
and noise has s times the standard deviation: 1 is what was published.

Shapes: B galaxies, C channels, H x W pixels. Light is linear flux above the sky.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

__all__ = [
    "EBV", "NOISE", "PIXEL_ARCSEC", "POINT_SPREAD", "Lognormal", "add_noise", "added", "blur", "extinction", "fit_of",
    "transmission",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Of x where log((x - loc) / scale) is normal with mean 0 and standard deviation ``shape``."""

    shape: float
    loc: float
    scale: float

    @property
    def median(self) -> float:
        """Half of all values lie below."""
        return self.loc + self.scale

    def draw(self, count: int, like: Tensor, generator: Generator | None) -> Tensor:
        """Return (count,) values, none below 0, on the device of ``like``."""
        normal = torch.randn(count, device=like.device, generator=generator)
        return (self.loc + self.scale * torch.exp(self.shape * normal)).clamp_min(0)


EBV = Lognormal(0.67306, 0.001146, 0.03338)
"""E(B-V) in magnitudes, of Schlegel et al. (1998)."""

POINT_SPREAD = {
    "g": Lognormal(0.2109966, 1.0807153, 1.3153171),
    "r": Lognormal(0.3008485, 1.2394326, 0.9164757),
    "z": Lognormal(0.3471172, 1.1928363, 0.8233702),
}
"""Standard deviation of the point spread, in pixels of `PIXEL_ARCSEC`, by band."""

NOISE = {
    "g": Lognormal(0.2264926, -0.0006735, 0.0037602),
    "r": Lognormal(0.2431146, -0.0023663, 0.0067417),
    "z": Lognormal(0.1334844, -0.0143416, 0.0260779),
}
"""Standard deviation of a pixel's noise, in nanomaggies a pixel of `PIXEL_ARCSEC`, by band."""

PIXEL_ARCSEC = 0.262
"""Of the Legacy Surveys."""

NEAREST = {"u": "g", "i": "r", "y": "z", "Y": "z"}
"""Our own choice: the band whose fit serves for one that was not published; r for any other."""

EXTINCTION = {
    "decam": {"u": 3.995, "g": 3.214, "r": 2.165, "i": 1.592, "z": 1.211, "y": 1.064, "Y": 1.064},
    "sdss": {"u": 4.239, "g": 3.303, "r": 2.285, "i": 1.698, "z": 1.263},
}
"""Magnitudes of extinction per E(B-V) of Schlegel et al. (1998), by band: Schlafly & Finkbeiner (2011,
arXiv:1012.4804), table 6, R_V = 3.1. For g, r and z of DECam these are the numbers of Stein et al., who give
0.4 times as much: 1.2856, 0.866 and 0.4844."""


def extinction(kind: str, bands: tuple[str, ...]) -> tuple[float, ...] | None:
    """Return the magnitudes per E(B-V) in each band, of SDSS's filters for the stretch ``sdss``, else of DECam's.

    None where a band has no published number: flux that is reddened in some bands only has a colour of no dust.
    """
    known = EXTINCTION["sdss" if kind == "sdss" else "decam"]
    return tuple(known[band] for band in bands) if set(bands) <= set(known) else None


def fit_of(fits: dict[str, Lognormal], band: str) -> Lognormal:
    """Return the fit for a band (see `NEAREST`)."""
    return fits[band if band in fits else NEAREST.get(band, "r")]


def transmission(ebv: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Return the share of the light (B, C, 1, 1) that dust of E(B-V) (B,) lets through."""
    magnitudes = ebv[:, None] * torch.tensor(coefficients, device=ebv.device)
    return torch.pow(10, -0.4 * magnitudes)[:, :, None, None]


def added(
    fits: dict[str, Lognormal], bands: tuple[str, ...], count: int, like: Tensor, generator: Generator | None
) -> Tensor:
    """Return the standard deviations (count, C) that lead from drawn old conditions to drawn new ones."""
    columns = []
    for band in bands:
        old, new = (fit_of(fits, band).draw(count, like, generator) for _ in range(2))
        columns.append((new**2 - old**2).clamp_min(0).sqrt())
    return torch.stack(columns, 1)


def blur(light: Tensor, sigma: Tensor) -> Tensor:
    """Return light (B, C, H, W) under Gaussians of standard deviations ``sigma`` (B, C) in pixels.

    A Gaussian is cut at the edges of the image and brought to a sum of 1 again, so that a flat sky stays flat.
    """
    # Two products of small matrices: widths differ from plane to plane, for which convolutions are slow.
    down, across = (_smoother(side, sigma) for side in light.shape[2:])
    return down @ light @ across.transpose(2, 3)


def add_noise(light: Tensor, sigma: Tensor, generator: Generator | None) -> Tensor:
    """Add white noise of standard deviations ``sigma`` (B, C) to light (B, C, H, W), in place."""
    noise = torch.randn(light.shape, device=light.device, generator=generator)
    return light.add_(noise.mul_(sigma[:, :, None, None]))


def _smoother(side: int, sigma: Tensor) -> Tensor:
    """(B, C, side, side): row i holds the Gaussian about pixel i."""
    at = torch.arange(side, device=sigma.device)
    distance = (at[:, None] - at[None, :]).abs() / sigma.clamp_min(1e-2)[:, :, None, None]
    weights = torch.exp(-0.5 * distance.square())
    return weights / weights.sum(3, keepdim=True)


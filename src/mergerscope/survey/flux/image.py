"""One galaxy's flux in named bands, however it was stored, and how a survey's are read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["COUNT", "MAX_PIXELS", "NANOMAGGY", "FluxImage", "FluxSpec", "Planes", "settle"]

Planes = npt.NDArray[np.float32]

NANOMAGGY = "nanomaggy"
COUNT = "count"
MAX_PIXELS = 2**24
"""Of all bands of a galaxy together, 64 MiB as float32: a file that claims more is no cutout, or a bomb."""


@dataclass(frozen=True, slots=True)
class FluxSpec:
    """How the images of a survey are read."""

    bands: tuple[str, ...]
    """Wanted, in this order; () takes what each file has."""
    unit: str
    """``nanomaggy`` or ``count``; empty where any will do."""
    zero_point: float | None
    """AB magnitude of one count where the file does not say."""
    mask_bits: int = 0
    """Of a mask in the file, those that mean that a pixel holds nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class FluxImage:
    """What was read of one galaxy."""

    bands: tuple[str, ...]
    planes: Planes
    """(C, H, W) float32, row 0 at the top as displayed; what was not observed is NaN."""
    unit: str
    """``nanomaggy`` or ``count``, a pixel."""
    ra_deg: float | None = None
    """Of the image's centre, ICRS, where the file tells."""
    dec_deg: float | None = None
    ebv: float | None = None
    """Galactic reddening E(B-V), mag, where the file tells."""
    pixel_arcsec: float | None = None
    """Side of a pixel on the sky, where the file tells."""

    def digest(self) -> str:
        """Return 32 hex digits that are equal for equal flux in equal bands."""
        digest = hashlib.sha256(repr((self.bands, self.unit, self.planes.shape)).encode())
        # NaN has many bit patterns, and minus zero is zero
        same = np.where(np.isnan(self.planes), np.float32(np.nan), self.planes) + np.float32(0)
        digest.update(np.ascontiguousarray(same, "<f4").data)
        return digest.hexdigest()[:32]


def settle(found: Iterable[tuple[tuple[str, ...], str]], spec: FluxSpec) -> FluxSpec:
    """Return what a survey is read as: the bands that most of its galaxies have, unless ``spec`` names them.

    Args:
        found: bands and unit of each image that can be read.
        spec: what is asked for.
    """
    bands: Counter[tuple[str, ...]] = Counter()
    units: Counter[str] = Counter()
    for names, unit in found:
        bands[names] += 1
        units[unit] += 1
    chosen = spec.bands or max(bands, key=lambda names: (bands[names], len(names), names))
    # of equally many, nanomaggies: counts say nothing of how bright a galaxy is
    unit = max(units, key=lambda name: (units[name], name == NANOMAGGY))
    return FluxSpec(chosen, unit, spec.zero_point, spec.mask_bits)

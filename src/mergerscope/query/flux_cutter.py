"""FITS files from outside of a survey of flux, read, cut and scaled as the survey's are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from mergerscope.query.pictures import Picture
from mergerscope.query.shots import Shot
from mergerscope.shards.flux_cutout import FluxPacking, make_flux_cutout
from mergerscope.shards.sampling import ALIKE, Sampling
from mergerscope.survey.flux.image import FluxImage
from mergerscope.survey.flux.store import FluxStore
from mergerscope.survey.images import ImageStore
from mergerscope.survey.records import ImageRefusedError

__all__ = ["FluxCutter"]

HINTS = {
    "unit": "BUNIT or MAGZERO in a header tell the unit, and flux.zero_point that of a survey without",
    "missing-band": "give all bands of the survey; shards made with flux.missing_bands: fill take zeros for some",
}


class _Window(NamedTuple):
    field: float
    """Side, as a fraction of the image's shorter side."""
    brightness: float
    """What flux is multiplied by."""
    note: str


@dataclass(frozen=True, slots=True)
class FluxCutter:
    """For a survey of flux; see `mergerscope.query.pictures.Cutter`."""

    packing: FluxPacking
    """Of the shards: bands, unit, zero point, binning, and what is taken for missing and for masked."""
    crop: float
    """Of the survey."""
    size: int
    """Pixels a side of a cutout."""
    sampling: Sampling | None
    """Of the survey."""
    field: float | None
    """The part of the shorter side that is kept; None keeps as much of the sky as the survey's images show."""

    def __call__(self, shot: Shot) -> Picture:
        """Read and cut one galaxy's file or files.

        Where survey and file tell the sizes of their pixels on the sky, the same angle is kept, and the flux of a pixel
        is brought to the area of the survey's; else the file is cut as if it were the survey's.

        Raises:
            ImageRefusedError: ``picture``, ``too-narrow``, or why it cannot be read or cut.
        """
        if shot.is_picture:
            raise ImageRefusedError(
                "picture", "a JPEG or PNG holds colours that somebody stretched, and the survey flux: give a FITS file "
                f"with the bands {', '.join(self.packing.spec.bands)}, or search by --id or --position",
            )  # fmt: skip
        image = _read(shot, self.packing)
        window = self._window(image)
        if window.brightness != 1:
            image = replace(image, planes=image.planes * np.float32(window.brightness))
        try:
            cutout = make_flux_cutout(image, self.packing, window.field, self.size)
        except ImageRefusedError as error:
            raise _with_hint(error) from None
        return Picture(shot.reference, cutout.planes[None], (window.field,), window.note)

    def _window(self, image: FluxImage) -> _Window:
        told = self.sampling
        if image.pixel_arcsec is None or told is None or not told.uniform:
            return _Window(self.crop if self.field is None else self.field, 1.0, "")
        own = self.packing.binning * image.pixel_arcsec
        alike = _alike(own, told.flux_pixel_arcsec)
        brightness = 1.0 if alike else (told.flux_pixel_arcsec / own) ** 2
        side, wanted = image.pixel_arcsec * min(image.planes.shape[1:]), told.pixel_arcsec * self.size
        field = wanted / side if self.field is None else self.field
        if self.field is None and alike and _alike(field, self.crop):
            field = self.crop  # one of the survey's own files is cut as it was
        if field > ALIKE:
            raise ImageRefusedError(
                "too-narrow", f"it shows {side:.1f} arcsec of the sky and the survey's images {wanted:.1f}: give a "
                "larger cutout, or --field 1 to compare all of it",
            )  # fmt: skip
        note = "" if alike and field == self.crop else (
            f"pixels of {own:.3g} arcsec against {told.flux_pixel_arcsec:.3g} of the survey: the central "
            f"{min(field, 1.0):.3g} is looked at, its flux times {brightness:.3g}"
        )
        return _Window(min(field, 1.0), brightness, note)


def _read(shot: Shot, packing: FluxPacking) -> FluxImage:
    with ImageStore(shot.folder) as images, FluxStore(images, packing.spec) as store:
        ((_, found),) = store.read_many([shot.reference])
    if isinstance(found, ImageRefusedError):
        raise _with_hint(found)
    return found


def _with_hint(error: ImageRefusedError) -> ImageRefusedError:
    hint = HINTS.get(error.reason)
    return error if hint is None else ImageRefusedError(error.reason, f"{error.detail}; {hint}")


def _alike(first: float, second: float) -> bool:
    return 1 / ALIKE < first / second < ALIKE

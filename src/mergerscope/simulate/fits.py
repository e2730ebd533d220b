"""A field as a multi-band FITS file: one image extension a band, each with its WCS, unit and zero point."""

from __future__ import annotations

import io

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from mergerscope.simulate.instrument import sky_sigma
from mergerscope.simulate.scene import Scene

__all__ = ["fits_bytes"]

ZERO_POINT = 22.5
"""AB magnitude of one nanomaggy."""


def fits_bytes(scene: Scene, name: str, ra_deg: float, dec_deg: float) -> bytes:
    """Return the file's bytes, the same for the same field.

    The primary header says which galaxy it is; extensions are named g, r, ... and hold float32 (H, W) in
    nanomaggies a pixel, the sky subtracted, north up and east to the left, in a gnomonic (TAN) projection about the
    galaxy at the middle of the image.

    Args:
        scene: drawn with ``native``; its margin is cut off.
        name: the galaxy's id.
        ra_deg: of the galaxy, ICRS.
        dec_deg: likewise.
    """
    side = round(scene.field_px)
    start = (scene.flux.shape[1] - side) // 2
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [ra_deg, dec_deg]
    wcs.wcs.crpix = [(side + 1) / 2, (side + 1) / 2]  # FITS counts pixels from 1
    scale = scene.night.pixel_arcsec / 3600
    wcs.wcs.cdelt = [-scale, scale]
    wcs.wcs.radesys = "ICRS"
    primary = fits.PrimaryHDU()
    primary.header["OBJECT"] = (name, "id of the galaxy")
    primary.header["SURVEY"] = (scene.night.survey.name, "survey that was simulated")
    primary.header["EBV"] = (round(scene.night.reddening_mag, 5), "Galactic reddening, mag")
    files = fits.HDUList([primary])
    for index, band in enumerate(scene.night.survey.bands):
        # rows go up in FITS, and down in the field
        pixels = scene.flux[index, start : start + side, start : start + side][::-1]
        image = fits.ImageHDU(np.ascontiguousarray(pixels, ">f4"), wcs.to_header(), name=band.name)
        image.header["BUNIT"] = ("nanomaggy", "flux in a pixel")
        image.header["MAGZERO"] = (ZERO_POINT, "AB magnitude of one unit")
        image.header["FILTER"] = band.name
        image.header["PSF_FWHM"] = (round(scene.night.psf[index].width_arcsec(scene.night.pixel_arcsec), 4), "arcsec")
        image.header["SKYSIGMA"] = (float(sky_sigma(scene.night)[index]), "of an empty pixel, nanomaggy")
        image.header["EXPGAIN"] = (scene.night.survey.bands[index].electrons, "electrons per nanomaggy")
        files.append(image)
    buffer = io.BytesIO()
    files.writeto(buffer)
    return buffer.getvalue()

"""The bytes of FITS files to the flux of one galaxy.

What counts as a band: every image of two axes, and every plane of one of three, in any extension, compressed by tiles
(``.fz``) or not. Left out are tables, images of one axis, and extensions that say that they hold weights, errors, masks
or a PSF. Bits are as they come: big-endian, integers with ``BSCALE`` and ``BZERO``, 64-bit floats; ``BLANK``, NaN,
infinity, and what weights or a mask say was not observed (see `masks`), all become NaN, which means just that.

A band is named by the header (`bands.header_band`); where a file holds one band and its name says which, the name
decides, for headers are often copied from another band's file. A file comes from anybody, so sizes are checked before
anything is unpacked, and whatever astropy says of a damaged one becomes the reason for which it is refused.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any

import numpy as np

from mergerscope.survey.fields import MOST_REDDENING
from mergerscope.survey.flux.bands import band_of_file, band_order, header_band, plane_names
from mergerscope.survey.flux.image import COUNT, MAX_PIXELS, NANOMAGGY, FluxImage, FluxSpec, Planes
from mergerscope.survey.flux.masks import Veil, extension_kind, veil_of, veils_over
from mergerscope.survey.flux.pixel import pixel_arcsec_of
from mergerscope.survey.flux.position import centre_of
from mergerscope.survey.flux.units import nanomaggies_per_unit
from mergerscope.survey.flux.unpack import unpack
from mergerscope.survey.records import ImageRefusedError

__all__ = ["read_fits"]

SIMPLE = b"SIMPLE  ="
MAX_BANDS = 64
"""Of a galaxy: more are a spectrum a pixel, or an attempt to keep us busy."""
DAMAGED = re.compile(r"truncat|corrupt|validating header|Header missing END", re.IGNORECASE)


@dataclass(slots=True)
class _Plane:
    band: str | None
    pixels: Planes
    """(H, W), row 0 at the top."""
    factor: float | None
    """Nanomaggies a unit, None where unknown."""


@dataclass(slots=True)
class _Found:
    """What the files of a galaxy hold together."""

    planes: list[_Plane] = field(default_factory=list)
    count: int = 0
    """Of planes."""
    pixels: int = 0
    """Of all planes."""
    masked: int = 0
    """Pixels of weights and masks."""
    position: tuple[float, float] | None = None
    ebv: float | None = None
    pixel_arcsec: float | None = None


def read_fits(files: Sequence[tuple[str, bytes]], spec: FluxSpec, *, want_position: bool = False) -> FluxImage:
    """Read one galaxy.

    Args:
        files: name and content of each: one with all bands, or one a band.
        spec: which bands; those that the files lack are left out here.
        want_position: whether the header's position is asked for, which takes longer than all else.

    Raises:
        ImageRefusedError: ``empty-file``, ``not-fits``, ``truncated``, ``corrupt-image``, ``zip-bomb``, ``too-large``,
            ``no-image-data``, ``mixed-sizes``, ``duplicate-band``, ``mixed-units`` or ``missing-band`` where none of
            the bands is there.
    """
    found = _Found()
    for name, data in files:
        _read_one(name, data, spec, found, want_position)
    planes = _named(found.planes, spec.bands)
    if not planes:
        raise ImageRefusedError("no-image-data", f"{files[0][0]} holds no image of two axes")
    shapes = sorted({plane.pixels.shape for plane in planes})
    if len(shapes) > 1:
        sizes = " and ".join(f"{width} x {height}" for height, width in shapes)
        raise ImageRefusedError("mixed-sizes", f"its bands have {sizes} pixels; bring them onto one grid")
    if len(files) > 1:
        planes.sort(key=lambda plane: band_order(plane.band or ""))
    return _image(planes, found, spec)


def _image(planes: list[_Plane], found: _Found, spec: FluxSpec) -> FluxImage:
    names = [plane.band or "" for plane in planes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ImageRefusedError("duplicate-band", f"there are several images of band {', '.join(twice)}")
    if spec.bands:
        planes = [planes[names.index(band)] for band in spec.bands if band in names]
        if not planes:
            raise ImageRefusedError("missing-band", f"none of {', '.join(spec.bands)}; it has {', '.join(names)}")
    known = [plane.band or "" for plane in planes if plane.factor is not None]
    if known and len(known) < len(planes):
        raise ImageRefusedError(
            "mixed-units", f"the zero point of {', '.join(known)} is known and that of the other bands is not; "
            "give flux.zero_point for these",
        )  # fmt: skip
    pixels = np.stack([_scaled(plane) for plane in planes])
    ra_deg, dec_deg = found.position or (None, None)
    return FluxImage(
        tuple(plane.band or "" for plane in planes), pixels, NANOMAGGY if known else COUNT, ra_deg, dec_deg, found.ebv,
        found.pixel_arcsec,
    )  # fmt: skip


def _scaled(plane: _Plane) -> Planes:
    if plane.factor is None or plane.factor == 1:
        return plane.pixels
    with np.errstate(over="ignore"):  # a mark for missing pixels, which no cutout takes
        return plane.pixels * np.float32(plane.factor)


def _named(planes: list[_Plane], wanted: tuple[str, ...]) -> list[_Plane]:
    """Give names to the planes that have none: those that are wanted, if there are as many, else their numbers."""
    nameless = [plane for plane in planes if plane.band is None]
    names = wanted if len(nameless) == len(planes) == len(wanted) else ()
    for number, plane in enumerate(nameless):
        plane.band = names[number] if names else f"band{number + 1}"
    return planes


def _read_one(name: str, data: bytes, spec: FluxSpec, found: _Found, want_position: bool) -> None:
    # here, so that a survey of pictures does not wait for it in every process
    from astropy.io import fits

    if not data:
        raise ImageRefusedError("empty-file", f"{name} has no bytes")
    data = unpack(data, name)
    if not data.startswith(SIMPLE):
        raise ImageRefusedError("not-fits", f"{name} begins with {data[:12]!r}")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with fits.open(io.BytesIO(data), memmap=False, lazy_load_hdus=False) as hdus:
                problem = next((str(one.message) for one in caught if DAMAGED.search(str(one.message))), None)
                if problem:
                    raise ImageRefusedError("truncated", f"{name}, {len(data)} bytes: {problem}")
                planes = list(_planes(name, hdus, len(data), spec, found, want_position))
                veils = list(_veils(name, hdus, len(data), spec, found)) if planes else []
    except ImageRefusedError:
        raise
    # astropy has no class of its own for damage: a bad file ends in any of a dozen kinds of errors.
    except Exception as error:
        raise ImageRefusedError("corrupt-image", f"{name}: {type(error).__name__}: {error}") from None
    for number, hides in veils_over([plane.band for plane in planes], veils):
        plane = planes[number]
        if hides.shape == plane.pixels.shape and hides.any():
            plane.pixels = np.where(hides, np.float32(np.nan), plane.pixels)
    _, band = band_of_file(name)
    if len(planes) == 1 and band is not None:
        planes[0].band = band
    found.planes += planes


def _planes(
    name: str, hdus: Any, length: int, spec: FluxSpec, found: _Found, want_position: bool
) -> Iterator[_Plane]:
    primary = hdus[0].header
    for hdu, shape in _images(hdus):
        if extension_kind(hdu.header) != "flux":
            continue
        found.count += prod(shape[:-2])
        if found.count > MAX_BANDS:
            raise ImageRefusedError("too-large", f"{name} claims {found.count} bands; at most {MAX_BANDS} are read")
        found.pixels += prod(shape)
        _check_room(name, hdu, found.pixels, length)
        header = hdu.header
        if want_position and found.position is None:
            found.position = centre_of(header, *shape[-2:])
        if found.pixel_arcsec is None:
            found.pixel_arcsec = pixel_arcsec_of(header)
        if found.ebv is None:
            found.ebv = _reddening(header.get("EBV", primary.get("EBV")))
        bands = [header_band(header)] if len(shape) == 2 else plane_names(header, shape[0])
        told = {*bands, band_of_file(name)[1]}
        factor = nanomaggies_per_unit(partial(_value, header, primary), spec.zero_point, told)
        with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold becomes infinite, then NaN
            pixels = np.asarray(hdu.data, np.float32).reshape(shape)[..., ::-1, :]  # rows go up in FITS
        observed = np.isfinite(pixels)
        if not observed.all():
            pixels = np.where(observed, pixels, np.float32(np.nan))
        for band, plane in zip(bands, pixels.reshape(-1, *shape[-2:]), strict=True):
            yield _Plane(band, plane, factor)


def _veils(name: str, hdus: Any, length: int, spec: FluxSpec, found: _Found) -> Iterator[Veil]:
    for hdu, shape in _images(hdus):
        kind, header = extension_kind(hdu.header), hdu.header
        if kind not in ("weights", "bits"):
            continue
        found.masked += prod(shape)
        _check_room(name, hdu, found.masked, length)
        hides = veil_of(kind, header, partial(getattr, hdu, "data"), spec.mask_bits)
        if hides is not None:
            bands = [header_band(header)] if len(shape) == 2 else plane_names(header, shape[0])
            for band, plane in zip(bands, hides.reshape(-1, *shape[-2:])[:, ::-1], strict=True):
                yield Veil(kind, band, plane)


def _images(hdus: Any) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """Yield the extensions of two or three axes with their shape."""
    for hdu in hdus:
        shape = tuple(hdu.shape) if hdu.is_image else ()
        while len(shape) > 2 and shape[0] == 1:
            shape = shape[1:]
        if len(shape) in (2, 3) and prod(shape):
            yield hdu, shape


def _check_room(name: str, hdu: Any, pixels: int, length: int) -> None:
    if pixels > MAX_PIXELS:
        raise ImageRefusedError("too-large", f"{name} claims {pixels} pixels; at most {MAX_PIXELS} are read")
    # what is packed takes less room than its pixels; that it is cut short astropy says itself
    place = None if hasattr(hdu, "compression_type") else hdu.fileinfo()
    if place is not None and place["datLoc"] + hdu.size > length:
        raise ImageRefusedError("truncated", f"{name}: {length} bytes where {place['datLoc'] + hdu.size} are due")


def _value(header: Any, primary: Any, key: str) -> Any:
    """Return what the image's own header says, else that of the file."""
    return header.get(key, primary.get(key))


def _reddening(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= MOST_REDDENING else None

"""Bytes of FITS files to flux, and what is refused."""

from __future__ import annotations

import bz2
import gzip
import io
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mergerscope.survey.flux import fits_file, unpack
from mergerscope.survey.flux.fits_file import read_fits
from mergerscope.survey.flux.image import FluxSpec
from mergerscope.survey.records import ImageRefusedError

ANY = FluxSpec((), "", None)
NMGY = {"BUNIT": "nanomaggy"}


def refusal(*files: tuple[str, bytes], spec: FluxSpec = ANY) -> ImageRefusedError:
    with pytest.raises(ImageRefusedError) as caught:
        read_fits(list(files), spec)
    return caught.value


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
@pytest.mark.parametrize("dtype", [">f4", ">f8", "<f4"])
def test_an_extension_a_band(made: Any, pack: Any, dtype: str) -> None:
    planes = made.flux(1)
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.ones(4))])
    named = zip(planes, "grz", strict=True)
    hdus = [made.image(plane.astype(dtype), {**NMGY, "FILTER": band}) for plane, band in named]
    found = read_fits([("a.fits.gz", pack(made.file_of(*hdus, table)))], ANY)
    assert (found.bands, found.unit) == (("g", "r", "z"), "nanomaggy")
    assert found.planes.dtype.isnative
    np.testing.assert_array_equal(found.planes, planes[:, ::-1])  # rows go up in FITS


def test_tile_compressed(made: Any) -> None:
    planes = made.flux(2)
    named = zip(planes, "gri", strict=True)
    hdus = [made.image(plane, {**NMGY, "FILTER": band}, compress=True) for plane, band in named]
    found = read_fits([("a.fits.fz", made.file_of(*hdus))], ANY)
    assert found.bands == ("g", "r", "i")
    np.testing.assert_allclose(found.planes, planes[:, ::-1], atol=0.2)  # it quantises to a fraction of the noise


def test_what_packs_well_is_not_taken_for_truncated(made: Any) -> None:
    y, x = np.mgrid[:80, :80] - 40
    smooth = np.exp(-(x**2 + y**2) / 200).astype(np.float32)
    data = made.file_of(*(made.image(smooth, {"FILTER": band}, compress=True) for band in "gr"))
    assert len(data) < 2 * smooth.nbytes
    assert read_fits([("a.fits.fz", data)], ANY).bands == ("g", "r")
    for length in (len(data) - 1, len(data) - 5000, 8000):
        assert refusal(("a.fits.fz", data[:length])).reason == "truncated"


def test_a_cube_as_the_legacy_surveys_write_it(made: Any) -> None:
    planes = made.flux(3)
    header = {"BANDS": "grz", "BAND0": "g", "BAND1": "r", "BAND2": "z"} | made.sky(150.5, 2.25)
    found = read_fits([("a.fits", made.one_band(planes, **header))], FluxSpec((), "", 22.5), want_position=True)
    assert (found.bands, found.unit) == (("g", "r", "z"), "nanomaggy")
    np.testing.assert_array_equal(found.planes, planes[:, ::-1])
    assert (found.ra_deg, found.dec_deg) == (pytest.approx(150.5), pytest.approx(2.25))


def test_a_file_a_band_and_its_name_against_a_copied_header(made: Any) -> None:
    planes = made.flux(4)
    named = zip("zgr", planes, strict=True)
    files = [(f"a_{band}.fits", made.one_band(plane, FILTER="g", **NMGY)) for band, plane in named]
    found = read_fits(files, ANY)
    assert found.bands == ("g", "r", "z")  # by wavelength
    np.testing.assert_array_equal(found.planes, planes[[1, 2, 0], ::-1])


def test_wanted_bands_in_the_wanted_order(made: Any) -> None:
    planes = made.flux(5)
    data = made.several_bands(planes, **NMGY)
    found = read_fits([("a.fits", data)], FluxSpec(("z", "u", "g"), "", None))
    assert found.bands == ("z", "g")
    np.testing.assert_array_equal(found.planes, planes[[2, 0], ::-1])
    assert refusal(("a.fits", data), spec=FluxSpec(("u",), "", None)).reason == "missing-band"


def test_planes_without_names_take_the_wanted_ones(made: Any) -> None:
    data = made.one_band(made.flux(6))
    assert read_fits([("a.fits", data)], ANY).bands == ("band1", "band2", "band3")
    assert read_fits([("a.fits", data)], FluxSpec(("i", "r", "g"), "", None)).bands == ("i", "r", "g")


def test_weights_masks_and_spectra_are_no_bands(made: Any) -> None:
    plane = made.flux(7)[0]
    others = [made.image(plane, {"EXTNAME": name, "FILTER": "g"}) for name in ("WGT", "IVAR_R", "dq", "PSF")]
    data = made.file_of(made.image(plane, {"FILTER": "g"}, primary=True), made.image(np.ones(2048), {}), *others)
    assert read_fits([("a.fits", data)], ANY).bands == ("g",)


@pytest.mark.parametrize(
    ("header", "zero_point", "unit", "factor"),
    [
        ({"BUNIT": "nanomaggy"}, None, "nanomaggy", 1),
        ({"BUNIT": "nanomaggies/pixel", "MAGZERO": 25.0}, None, "nanomaggy", 1),
        ({"BUNIT": "uJy"}, None, "nanomaggy", 1 / 3.631),
        ({"BUNIT": "MJy/sr"}, None, "count", 1),
        ({"BUNIT": "MJy"}, None, "count", 1),
        ({"BUNIT": "electrons", "MAGZERO": 30.0}, None, "nanomaggy", 1e-3),
        ({"MAGZERO": 30.0}, 22.5, "nanomaggy", 1e-3),
        ({"FLUXMAG0": 1e12}, None, "nanomaggy", 1e-3),
        ({"SURVEY": "DECaLS", "VERSION": "DR10", "IMAGETYP": "image"}, None, "nanomaggy", 1),
        ({"SURVEY": "DECaLS"}, None, "count", 1),
        ({}, 27.5, "nanomaggy", 1e-2),
        ({}, None, "count", 1),
        ({"MAGZERO": "unknown"}, None, "count", 1),
        ({"MAGZERO": -99.0}, None, "count", 1),
        ({"FPA.ZP": 25.0}, None, "count", 1),
        ({"MAGZP": 25.0, "FILTER": "r"}, None, "nanomaggy", 1e-1),
        ({"MAGZP": 20.9, "FILTER": "J"}, None, "count", 1),
        ({"MAGZP": 22.5, "EXTNAME": "W1"}, 25.0, "nanomaggy", 1e-1),
    ],
)
def test_units(made: Any, header: dict[str, Any], zero_point: float | None, unit: str, factor: float) -> None:
    plane = made.flux(8)[0]
    found = read_fits([("a.fits", made.one_band(plane, **header))], FluxSpec((), "", zero_point))
    assert found.unit == unit
    np.testing.assert_allclose(found.planes[0], plane[::-1] * factor, rtol=1e-6)


def test_half_known_units_are_no_unit(made: Any) -> None:
    plane = made.flux(9)[0]
    data = made.file_of(made.image(plane, {"FILTER": "g", **NMGY}), made.image(plane, {"FILTER": "r"}))
    assert refusal(("a.fits", data)).reason == "mixed-units"
    assert read_fits([("a.fits", data)], FluxSpec((), "", 22.5)).unit == "nanomaggy"


def test_what_was_not_observed_is_nan(made: Any) -> None:
    counts = np.arange(20, dtype=np.int16).reshape(4, 5)
    hdu = fits.PrimaryHDU(counts)
    hdu.header["BLANK"] = 7
    found = read_fits([("a.fits", made.file_of(hdu))], ANY).planes[0]
    assert np.isnan(found).sum() == 1
    assert found[0, 0] == 15
    plane = made.flux(10)[0].astype(np.float64)
    plane[0, :3] = np.inf, -np.inf, 1e300
    assert np.isnan(read_fits([("a.fits", made.one_band(plane))], ANY).planes[0, -1, :3]).all()


def test_positions(made: Any) -> None:
    plane = made.flux(11)[0]

    def place(**header: Any) -> tuple[float | None, float | None]:
        found = read_fits([("a.fits", made.one_band(plane, **header))], ANY, want_position=True)
        return found.ra_deg, found.dec_deg

    assert place() == (None, None)
    assert place(CTYPE1="RA---TAN", CRVAL1="north") == (None, None)
    ra, dec = place(**made.sky(359.99999, -10.0))
    assert (ra, dec) == (pytest.approx(359.99999, abs=1e-7), pytest.approx(-10))
    tpv = made.sky(30.0, 5.0) | {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_0": 0.001, "PV1_1": 1.0, "PV2_1": 1.0}
    assert place(**tpv) != (pytest.approx(30.0, abs=1e-4), pytest.approx(5.0, abs=1e-4))
    galactic = made.sky(0.0, 0.0) | {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}
    galactic.pop("RADESYS")
    assert place(**galactic) == (pytest.approx(266.405, abs=1e-3), pytest.approx(-28.936, abs=1e-3))


@pytest.mark.parametrize(("changes", "expected"), [
    ({}, 0.262),
    ({"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV"}, 0.262),
    ({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"}, 0.262),
    ({"CD1_1": 0.0, "CD2_2": 0.0, "CD1_2": 1e-4, "CD2_1": -4e-4}, 0.72),  # a quarter turned, and no square
    ({"CD1_1": None, "CD1_2": None, "CD2_1": None, "CD2_2": None, "CDELT1": -1e-4, "CDELT2": 1e-4}, 0.36),
    ({"CD1_1": None, "CD1_2": None, "CD2_1": None, "CD2_2": None, "CDELT1": 1e-4, "CDELT2": 1e-4, "PC1_1": 0.6,
      "PC1_2": -0.8, "PC2_1": 0.8, "PC2_2": 0.6}, 0.36),
    ({"CUNIT1": "arcsec", "CUNIT2": "arcsec", "CD1_1": -0.5, "CD2_2": 0.5}, 0.5),
    ({"CTYPE1": "GLON-ZEA", "CTYPE2": "GLAT-ZEA"}, 0.262),
    ({"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR"}, None),
    ({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, None),
    ({"CD1_1": 1.0, "CD2_2": 1.0}, None),
    ({"CD1_1": 0.0}, None),
    ({"CD1_1": "small"}, None),
    ({"CUNIT1": "furlong"}, None),
    ({"CTYPE1": None, "CTYPE2": None}, None),
])  # fmt: skip
def test_the_side_of_a_pixel(made: Any, changes: dict[str, Any], expected: float | None) -> None:
    header = {key: value for key, value in (made.sky(150.0, 60.0) | changes).items() if value is not None}
    found = read_fits([("a.fits", made.one_band(made.flux(1)[0], **header))], ANY).pixel_arcsec
    assert found == (None if expected is None else pytest.approx(expected))


def test_reddening_of_the_header(made: Any) -> None:
    assert read_fits([("a.fits", made.one_band(made.flux(1)[0], EBV=0.032))], ANY).ebv == 0.032
    assert read_fits([("a.fits", made.one_band(made.flux(1)[0], EBV="?"))], ANY).ebv is None
    assert read_fits([("a.fits", made.one_band(made.flux(1)[0], EBV=9999.0))], ANY).ebv is None


def test_equal_flux_has_equal_digests_in_any_packing(made: Any) -> None:
    planes = made.flux(12)
    planes[0, 3, 4] = np.nan
    together = read_fits([("a.fits", made.several_bands(planes, **NMGY))], ANY)
    apart = [(f"a_{band}.fits", made.one_band(p.astype(">f8"), **NMGY)) for band, p in zip("grz", planes, strict=True)]
    assert read_fits(apart, ANY).digest() == together.digest()
    planes[2, 0, 0] += 1
    assert read_fits([("a.fits", made.several_bands(planes, **NMGY))], ANY).digest() != together.digest()


def test_each_kind_of_damage_has_its_reason(made: Any) -> None:
    whole = made.several_bands(made.flux(13), **NMGY)
    plane = made.flux(13)[0]
    assert refusal(("a.fits", b"")).reason == "empty-file"
    assert refusal(("a.fits", b"\xff\xd8\xff, a JPEG")).reason == "not-fits"
    assert refusal(("a.fits.gz", gzip.compress(whole)[:-200])).reason == "truncated"
    assert refusal(("a.fits.gz", gzip.compress(whole)[:40] + b"x" * 500)).reason == "corrupt-image"
    assert refusal(("a.fits.bz2", bz2.compress(whole)[:-200])).reason == "truncated"
    assert refusal(("a.fits", made.file_of(fits.PrimaryHDU()))).reason == "no-image-data"
    assert refusal(("a.fits", made.file_of(made.image(plane, {}), made.image(plane[:5], {})))).reason == "mixed-sizes"
    twice = made.file_of(made.image(plane, {"FILTER": "g"}), made.image(plane, {"FILTER": "g"}))
    assert refusal(("a.fits", twice)).reason == "duplicate-band"


FIRST_BAND = 2880 + 2880 + 5760
"""Bytes of the first header, the header of the first band and its pixels, in blocks of 2880."""


@given(st.integers(0, 7 * 2880))
@settings(deadline=None, max_examples=100)
@example(FIRST_BAND)
@example(FIRST_BAND + 500)  # within the second header
@example(FIRST_BAND + 2880)
def test_no_cut_goes_unseen(length: int) -> None:
    """A file cut anywhere is refused, unless whole extensions are left: those cannot know of the others."""
    whole = two_bands()
    outcome = outcome_of(whole[:length])
    if length >= len(whole):
        assert outcome == ("g", "r")
    elif length == FIRST_BAND:
        assert outcome == ("g",)
    else:
        assert outcome in {"empty-file", "not-fits", "truncated", "corrupt-image", "no-image-data"}


def two_bands() -> bytes:
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(np.ones((30, 30), ">f4")) for _ in range(2))]
    for hdu, band in zip(hdus[1:], "gr", strict=True):
        hdu.header["FILTER"] = band
    buffer = io.BytesIO()
    fits.HDUList(hdus).writeto(buffer)
    return buffer.getvalue()


def outcome_of(data: bytes) -> str | tuple[str, ...]:
    """The bands, or the reason of the refusal."""
    try:
        return read_fits([("a.fits", data)], ANY, want_position=True).bands
    except ImageRefusedError as refused:
        return refused.reason


def test_a_bomb_is_not_unpacked(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_UNPACKED", 100_000)
    for pack in (gzip.compress, bz2.compress):
        assert refusal(("a.fits", pack(b"SIMPLE  =" + bytes(10_000_000)))).reason == "zip-bomb"
        assert refusal(("a.fits", pack(bytes(60_000)) + pack(bytes(60_000)))).reason == "zip-bomb"


def test_a_claimed_size_is_checked_before_it_is_unpacked(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits_file, "MAX_PIXELS", 400)
    assert refusal(("a.fits", made.one_band(made.flux(1)[0]))).reason == "too-large"
    packed = made.file_of(made.image(np.zeros((300, 300), np.float32), {}, compress=True))
    assert refusal(("a.fits.fz", packed)).reason == "too-large"


@given(st.binary(max_size=400), st.integers(9, 6000))
@settings(deadline=None, max_examples=100)
def test_noise_in_a_file_is_refused_or_read_and_nothing_else(noise: bytes, at: int) -> None:
    whole = bytearray(two_bands())
    whole[at : at + len(noise)] = noise
    assert outcome_of(bytes(whole))


def test_a_spectrum_a_pixel_is_no_set_of_bands(made: Any) -> None:
    cube = made.file_of(made.image(made.flux(1, 65, 4, 4), {}, primary=True))
    assert refusal(("a.fits", cube)).detail == "a.fits claims 65 bands; at most 64 are read"
    many = made.file_of(*(made.image(plane, {}) for plane in made.flux(1, 65, 2, 2)))
    assert refusal(("a.fits", many)).reason == "too-large"
    most = made.file_of(made.image(made.flux(1, 64, 4, 4), {}, primary=True))
    assert len(read_fits([("a.fits", most)], ANY).bands) == 64

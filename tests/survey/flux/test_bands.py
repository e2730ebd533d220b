"""What headers and file names say of bands, and references of several files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.survey.flux.bands import band_of_file, expand, header_band, known_band, plane_names, reference_of


@pytest.mark.parametrize(
    ("word", "band"),
    [
        ("g", "g"), ("G", "g"), ("g DECam SDSS c0001 4720.0 1520.0", "g"), ("g.00000", "g"), ("HSC-G", "g"),
        ("HSC-R2", "r"), ("SDSS_u", "u"), ("F814W", "F814W"), ("f444w", "F444W"), ("F350LP", "F350LP"), ("Ks", "Ks"),
        ("NIR_Y", "y"), ("VIS", "VIS"), ("W1", "W1"), ("N29", None), ("SCI", None), ("CLEAR", None), ("", None),
    ],
)  # fmt: skip
def test_bands_as_surveys_write_them(word: str, band: str | None) -> None:
    assert known_band(word) == band


def test_a_header_names_its_band_and_a_chip_is_none() -> None:
    assert header_band({"FILTER": "z DECam", "EXTNAME": "SCI"}) == "z"
    assert header_band({"BAND": "i"}) == "i"
    assert header_band({"FPA.FILTER": "r.00000"}) == "r"
    assert header_band({"EXTNAME": "R"}) == "r"
    assert header_band({"FILTER": "halpha"}) == "halpha"
    assert header_band({"EXTNAME": "N29"}) is None
    assert header_band({"FILTER": 3}) == "3"


def test_planes_of_a_cube() -> None:
    assert plane_names({"BANDS": "grz", "BAND0": "g", "BAND1": "r", "BAND2": "z"}, 3) == ["g", "r", "z"]
    assert plane_names({"BANDS": "g,r,z"}, 3) == ["g", "r", "z"]
    assert plane_names({"FILTER1": "F606W", "FILTER2": "F814W"}, 2) == ["F606W", "F814W"]
    assert plane_names({"BANDS": "gr"}, 3) == [None, None, None]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a_g.fits", ("a", "g")), ("132_gband.fits", ("132", "g")), ("132-r.fit.gz", ("132", "r")),
        ("x/NGC-1_I.fits.bz2", ("x/NGC-1", "i")), ("q.z.fts", ("q", "z")), ("a_F814W.fits.fz", ("a", "F814W")),
        ("a.fits", ("a", None)), ("587722.fits", ("587722", None)), ("a_big.fits", ("a_big", None)),
        ("_g.fits", ("_g", None)), ("g.fits", ("g", None)), ("a_g_band.fits", ("a", "g")),
    ],
)  # fmt: skip
def test_names_of_files(name: str, said: tuple[str, str | None]) -> None:
    assert band_of_file(name) == said


names = st.lists(st.text("abgrz_./", min_size=1, max_size=8), min_size=1, max_size=5, unique=True)


@given(names)
def test_a_reference_names_its_files(paths: list[str]) -> None:
    assert expand(reference_of(paths)) == paths


def test_a_reference_is_short() -> None:
    assert reference_of(["images/132_gband.fits", "images/132_rband.fits"]) == "images/132_{g,r}band.fits"
    assert reference_of(["a_g.fits"]) == "a_g.fits"
    assert reference_of(["a_g.fits", "a_r.fits.gz"]) == "a_{g.fits,r.fits.gz}"

"""Weights and masks beside the flux, in the layouts that surveys write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from mergerscope.survey.flux.fits_file import read_fits
from mergerscope.survey.flux.image import FluxImage, FluxSpec
from mergerscope.survey.records import ImageRefusedError

HOLE = (3, 5)
"""Of rows that go up."""


def hidden(found: FluxImage) -> dict[str, list[tuple[int, int]]]:
    """Return the masked pixels of each band, rows going up."""
    holes = [[(int(y), int(x)) for y, x in np.argwhere(np.isnan(plane[::-1]))] for plane in found.planes]
    return dict(zip(found.bands, holes, strict=True))


def weights(made: Any, value: float = 0.0, **header: Any) -> Any:
    data = np.full((20, 24), 4.0, np.float32)
    data[HOLE] = value
    return made.image(data, header)


def bits(made: Any, value: int, **header: Any) -> Any:
    data = np.zeros((20, 24), np.int32)
    data[HOLE] = value
    return made.image(data, header)


def read(made: Any, *hdus: Any, mask_bits: int = 0) -> FluxImage:
    return read_fits([("a.fits", made.file_of(*hdus))], FluxSpec((), "", None, mask_bits))


def flux_of(made: Any, bands: str = "g") -> list[Any]:
    return [made.image(plane, {"FILTER": band}) for band, plane in zip(bands, made.flux(1), strict=False)]


@pytest.mark.parametrize("name", ["INVVAR", "IVAR", "ivar_g", "WGT", "WHT", "weight"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_no_weight_is_no_observation(made: Any, name: str, value: float) -> None:
    assert hidden(read(made, *flux_of(made), weights(made, value, EXTNAME=name))) == {"g": [HOLE]}


@pytest.mark.parametrize("name", ["WT", "ERR", "VARIANCE", "PSF", "SKY"])
def test_a_zero_of_anything_else_says_nothing(made: Any, name: str) -> None:
    assert hidden(read(made, *flux_of(made), weights(made, EXTNAME=name))) == {"g": []}


def test_the_legacy_surveys_cutout_with_invvar_and_maskbits(made: Any) -> None:
    planes, ivar = made.flux(2), np.ones((3, 20, 24), np.float32)
    ivar[1][HOLE] = 0
    header = {"BANDS": "grz", "BAND0": "g", "BAND1": "r", "BAND2": "z", "SURVEY": "LegacySurvey"}
    hdus = [
        made.image(planes, {**header, "IMAGETYP": "IMAGE"}, primary=True),
        made.image(ivar, {**header, "IMAGETYP": "INVVAR"}), bits(made, 2, **header, IMAGETYP="MASKBITS"),
    ]  # fmt: skip
    found = read(made, *hdus)
    assert (found.bands, found.unit) == (("g", "r", "z"), "nanomaggy")
    assert hidden(found) == {"g": [], "r": [HOLE], "z": []}  # next to a bright star is no damage
    assert hidden(read(made, *hdus, mask_bits=2)) == {"g": [HOLE], "r": [HOLE], "z": [HOLE]}
    assert found.digest() != read_fits([("a.fits", made.file_of(hdus[0]))], FluxSpec((), "", None)).digest()


def test_the_legacy_surveys_subimages(made: Any) -> None:
    hdus = []
    for band, plane in zip("gr", made.flux(3), strict=False):
        header = {"BAND": band, "SURVEY": "LegacySurvey"}
        hdus += [made.image(plane, {**header, "IMAGETYP": "image"}),
                 weights(made, 0.0 if band == "r" else 1.0, **header, IMAGETYP="invvar")]  # fmt: skip
    assert hidden(read(made, *hdus)) == {"g": [], "r": [HOLE]}


HSC = {"EXTNAME": "MASK", "MP_BAD": 0, "MP_SAT": 1, "HIERARCH MP_DETECTED": 5, "HIERARCH MP_NO_DATA": 8}


@pytest.mark.parametrize(("value", "mask_bits", "holes"), [
    (1 << 5, 0, []), (1 << 8, 0, [HOLE]), (1 << 8 | 1 << 5, 0, [HOLE]), (1, 0, []), (1, 1, [HOLE]), (1 << 8, 1, [HOLE]),
])  # fmt: skip
def test_of_hsc_and_lsst_only_no_data_counts_by_itself(made: Any, value: int, mask_bits: int, holes: list[Any]) -> None:
    assert hidden(read(made, *flux_of(made), bits(made, value, **HSC), mask_bits=mask_bits)) == {"g": holes}


@pytest.mark.parametrize(("name", "value", "mask_bits", "holes"), [
    ("DQ", 1, 0, []), ("DQ", 5, 1, [HOLE]), ("MSK", 4, 3, []), ("flags", 4, 6, [HOLE]),
])  # fmt: skip
def test_bits_that_are_asked_for(made: Any, name: str, value: int, mask_bits: int, holes: list[Any]) -> None:
    assert hidden(read(made, *flux_of(made), bits(made, value, EXTNAME=name), mask_bits=mask_bits)) == {"g": holes}


@pytest.mark.parametrize(("extra", "over"), [
    ([{"EXTNAME": "INVVAR"}], "gr"),  # one for all
    ([{"EXTNAME": "INVVAR_R"}], "r"),
    ([{"EXTNAME": "INVVAR", "FILTER": "g"}], "g"),
    ([{"EXTNAME": "INVVAR"}] * 2, "gr"),  # in order
    ([{"EXTNAME": "INVVAR"}] * 3, ""),  # of which, nobody knows
    ([{"EXTNAME": "INVVAR_Z"}], ""),
])  # fmt: skip
def test_over_which_band(made: Any, extra: list[Mapping[str, Any]], over: str) -> None:
    found = read(made, *flux_of(made, "gr"), *(weights(made, **header) for header in extra))
    assert hidden(found) == {band: [HOLE] if band in over else [] for band in "gr"}


def test_a_mask_of_another_size_or_of_fractions_is_passed_over(made: Any) -> None:
    small = made.image(np.zeros((5, 5), np.float32), {"EXTNAME": "INVVAR"})
    fractions = made.image(np.ones((20, 24), np.float32), {"EXTNAME": "MASK"})
    assert hidden(read(made, *flux_of(made), small, fractions, mask_bits=1)) == {"g": []}


def test_a_claimed_size_is_checked_before_a_mask_is_unpacked(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mergerscope.survey.flux.fits_file.MAX_PIXELS", 500)
    huge = made.image(np.ones((300, 300), np.float32), {"EXTNAME": "INVVAR"}, compress=True)
    with pytest.raises(ImageRefusedError, match="claims 90000 pixels"):
        read(made, *flux_of(made), huge)

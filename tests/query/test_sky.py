from __future__ import annotations

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.errors import QueryError
from mergerscope.query.sky import nearest_on_sky, parse_position

RA, DEC = 150.11625, 2.20583


@pytest.mark.parametrize("text", [
    "150.11625 2.20583", "150.11625, +2.20583", "10:00:27.9 +02:12:20.99", "10 00 27.9 2 12 20.99",
    "10h00m27.9s +2d12m20.99s", "1.5011625e2 2.20583",
])  # fmt: skip
def test_degrees_and_sexagesimal(text):
    assert parse_position(text) == pytest.approx((RA, DEC), abs=1e-5)


@pytest.mark.parametrize("text", ["", "150", "north", "150 2 3", "12:99:00 +1:00:00", "nan 2", "10:00:27.9"])
def test_what_is_no_position_is_refused_with_an_example(text):
    with pytest.raises(
        QueryError, match=r"is not a right ascension and a declination: give \"150\.1163 2\.2058\" in degrees"
    ):
        parse_position(text)


@pytest.mark.parametrize("text", ["400 0", "-1 0", "10 91", "10 -90.5"])
def test_positions_off_the_sphere_are_refused(text):
    with pytest.raises(QueryError, match=r"0\.\.\.360 .* -90\.\.\.90"):
        parse_position(text)


@given(st.floats(0, 360), st.floats(-90, 90), st.integers(0, 99))
def test_the_nearest_is_astropys(ra, dec, seed):
    draw = np.random.default_rng(seed)
    sky = draw.uniform(0, 360, 50), np.degrees(np.arcsin(draw.uniform(-1, 1, 50)))
    number, separation = nearest_on_sky(f"{ra!r} {dec!r}", *sky, np.arange(50), 180 * 3600)
    theirs = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(*sky, unit="deg")).to(units.arcsec).value
    assert separation == pytest.approx(theirs.min(), abs=1e-4)
    assert theirs[number] == pytest.approx(theirs.min(), abs=1e-4)


def test_an_arc_second_is_told_across_the_zero_of_right_ascension():
    number, separation = nearest_on_sky("359.9999 0", np.array([180.0, 0.0]), np.zeros(2), np.array(["a", "b"]), 1.0)
    assert number == 1
    assert separation == pytest.approx(0.36)


def test_nothing_within_the_radius_names_the_nearest():
    with pytest.raises(QueryError, match=r"within 3 arcsec of 10\.00000 \+0\.00000: the nearest is b at 36\.0 arcsec"):
        nearest_on_sky("10 0", np.array([np.nan, 10.01]), np.array([np.nan, 0.0]), np.array(["a", "b"]), 3.0)


def test_a_survey_without_positions_says_so():
    with pytest.raises(QueryError, match="has no positions"):
        nearest_on_sky("10 0", np.full(2, np.nan), np.full(2, np.nan), np.array(["a", "b"]), 3.0)

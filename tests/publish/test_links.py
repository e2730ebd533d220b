"""Links stand where the surveys have looked."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.publish.links import LEGACY_WIDTH, SDSS_WIDTH, in_legacy, in_sdss, legacy_viewer, sdss

PLACES = {
    "M 51": (202.4696, 47.1952, True, True),
    "the Mice": (191.5446, 30.7272, True, True),
    "Stripe 82": (10.0, 0.5, True, True),
    "Fornax": (54.62, -35.45, True, False),
    "the galactic centre": (266.417, -29.008, False, False),
    "the north celestial pole": (0.0, 90.0, False, False),
    "the Large Magellanic Cloud's side of the plane": (110.0, -30.0, False, False),
    "M 31, north of the southern area": (10.685, 41.269, False, False),
}


@pytest.mark.parametrize("name", PLACES)
def test_where_there_are_pictures(name):
    ra, dec, legacy, sloan = PLACES[name]
    place = np.array([ra]), np.array([dec])
    assert in_legacy(*place).tolist() == [legacy]
    assert in_sdss(*place).tolist() == [sloan]
    assert (legacy_viewer(*place)[0].as_py() is not None) == legacy
    assert (sdss(*place)[0].as_py() is not None) == sloan


@given(st.floats(0, 360), st.floats(-90, 90))
def test_a_link_leads_to_the_place_and_fits_its_column(ra, dec):
    place = np.array([ra]), np.array([dec])
    for link, width in ((legacy_viewer(*place)[0].as_py(), LEGACY_WIDTH), (sdss(*place)[0].as_py(), SDSS_WIDTH)):
        if link is not None:
            assert len(link) <= width
            asked = parse_qs(urlsplit(link).query)
            there = SkyCoord(float(asked["ra"][0]), float(asked["dec"][0]), unit="deg")
            assert there.separation(SkyCoord(ra, dec, unit="deg")).arcsec < 0.01


@given(st.floats(0, 360), st.floats(-90, 90))
def test_no_link_into_the_galactic_plane(ra, dec):
    latitude = abs(SkyCoord(ra, dec, unit="deg").galactic.b.deg)
    place = np.array([ra]), np.array([dec])
    if latitude < 17.99:
        assert not in_legacy(*place)[0]
        assert not in_sdss(*place)[0]


def test_the_release_of_the_legacy_surveys_that_has_the_place():
    links = legacy_viewer(np.array([180.0, 180.0]), np.array([32.0, 33.0])).to_pylist()
    assert ["ls-dr10" in links[0], "ls-dr9" in links[1]] == [True, True]


def test_a_place_without_a_position_has_no_link():
    nowhere = np.array([np.nan]), np.array([np.nan])
    assert legacy_viewer(*nowhere).to_pylist() == sdss(*nowhere).to_pylist() == [None]

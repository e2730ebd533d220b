"""Positions in every system of coordinates that a table may declare, against astropy's own conversion."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from astropy.coordinates import FK4, FK5, SkyCoord
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.io.votable.tree import CooSys
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.errors import TableError
from mergerscope.tables.frames import ICRS, Frame, frame_of
from mergerscope.tables.places import Places
from mergerscope.tables.table import open_table

LON, LAT = np.array([0.25, 202.4696, 359.75]), np.array([-0.5, 47.1952, -89.5])


def icrs(frame, **times):
    place = SkyCoord(LON, LAT, unit="deg", frame=frame, **times).icrs
    return place.ra.deg, place.dec.deg


def check(path, ra, dec):
    placed = list(Places(open_table(path)).rows())
    np.testing.assert_allclose([one.ra_deg for one in placed], ra, atol=1e-9)
    np.testing.assert_allclose([one.dec_deg for one in placed], dec, atol=1e-9)


def fits_table(path, names=("ra", "dec"), primary=(), **cards):
    hdu = fits.table_to_hdu(Table([LON, LAT], names=names))
    hdu.header.update(cards)
    first = fits.PrimaryHDU()
    first.header.update(dict(primary))
    fits.HDUList([first, hdu]).writeto(path, overwrite=True)


def votable(path, systems, refs=(None, None), names=("ra", "dec"), ucds=(None, None)):
    document = from_table(Table([LON, LAT], names=names))
    for system in systems:
        document.resources[0].coordinate_systems.append(CooSys(**system))
    for field, ref, ucd in zip(document.get_first_table().fields, refs, ucds, strict=True):
        field.ref, field.ucd = ref, ucd
    document.to_xml(str(path))


FK4_1950, FK5_1975 = ("fk4", {"equinox": "B1950"}), ("fk5", {"equinox": "J1975"})


@pytest.mark.parametrize(("cards", "frame"), [
    ({"RADESYS": "FK4"}, FK4_1950),
    ({"RADESYS": "FK4", "EQUINOX": 1875.0}, ("fk4", {"equinox": "B1875"})),
    ({"RADESYS": "FK4-NO-E"}, ("fk4noeterms", {"equinox": "B1950"})),
    ({"RADECSYS": "FK5", "EQUINOX": 1975.0}, FK5_1975),
    ({"EQUINOX": 1950.0}, FK4_1950),
    ({"EQUINOX": 2000.0}, ("fk5", {})),
    ({"EQUINOX": "J2000"}, ("fk5", {})),
    ({"RADE1": "FK4", "RADE2": "FK4", "RADESYS": "ICRS"}, FK4_1950),
    ({"primary": {"RADESYS": "FK4", "EQUINOX": 1950.0}}, FK4_1950),
    ({"primary": {"RADESYS": "FK4"}, "RADESYS": "ICRS"}, ("icrs", {})),
    ({"RADESYS": "ICRS", "EQUINOX": 2000.0}, ("icrs", {})),
    ({"RADESYS": "FK5", "names": ("GLON", "GLAT")}, ("galactic", {})),
    ({"EQUINOX": 2000.0, "names": ("RAB1950", "DEB1950")}, FK4_1950),
    ({"RADESYS": "FK4", "names": ("RAJ2000", "DEJ2000")}, ("icrs", {})),
    ({"names": ("RA_J2000", "DEC_J2000")}, ("icrs", {})),
    ({"RADESYS": ""}, ("icrs", {})),
    ({"RADESYS": "unknown", "EQUINOX": 0.0}, ("icrs", {})),
    ({"RADESYS": None, "EQUINOX": None}, ("icrs", {})),
    ({"RADESYS": "NONE", "EQUINOX": 1950.0}, FK4_1950),
    ({"RADESYS": "FK5", "EQUINOX": 0}, ("fk5", {})),
    ({"RADESYS": "ICRS", "EQUINOX": "once"}, ("icrs", {})),
    ({"RADE1": " ", "RADE2": "", "RADESYS": "FK4"}, FK4_1950),
    ({"RADESYS": "GAPPT", "names": ("RA_ICRS", "DE_ICRS")}, ("icrs", {})),
    ({"EQUINOX": "once", "names": ("RAB1950", "DEB1950")}, FK4_1950),
    ({}, ("icrs", {})),
])  # fmt: skip
def test_the_frame_of_a_fits_table(tmp_path, cards, frame):
    fits_table(tmp_path / "list.fits", **cards)
    check(tmp_path / "list.fits", *icrs(frame[0], **frame[1]))


J2000, OLD = {"ID": "a", "system": "eq_FK5", "equinox": "J2000"}, {"ID": "b", "system": "eq_FK4", "equinox": "B1950"}


@pytest.mark.filterwarnings("ignore::astropy.io.votable.exceptions.E16")
@pytest.mark.parametrize(("given", "frame"), [
    ({"systems": [OLD]}, FK4_1950),
    ({"systems": [J2000, OLD], "refs": ("b", "b")}, FK4_1950),
    ({"systems": [J2000, OLD], "refs": ("a", "a")}, ("fk5", {})),
    ({"systems": [{"ID": "c", "system": "ICRS"}]}, ("icrs", {})),
    ({"systems": [OLD | {"epoch": "1980.0"}]}, ("fk4", {"equinox": "B1950", "obstime": "B1980.0"})),
    ({"systems": [{"ID": "g", "system": "galactic"}], "refs": ("g", "g"), "names": ("l", "b"),
      "ucds": ("pos.galactic.lon", "pos.galactic.lat")}, ("galactic", {})),
    ({"systems": []}, ("icrs", {})),
    ({"systems": [{"ID": "u", "system": "unknown"}]}, ("icrs", {})),
    ({"systems": [J2000, OLD], "names": ("RA_ICRS", "DE_ICRS")}, ("icrs", {})),
])  # fmt: skip
def test_the_frame_of_a_votable(tmp_path, given, frame):
    votable(tmp_path / "list.vot", **given)
    check(tmp_path / "list.vot", *icrs(frame[0], **frame[1]))


@pytest.mark.parametrize(("given", "told"), [
    ({"systems": [{"ID": "s", "system": "supergalactic"}]}, "'supergalactic' is no system of coordinates that can be"),
    ({"systems": [J2000, OLD]}, "one of several systems of coordinates"),
    ({"systems": [J2000, OLD], "refs": ("a", "b")}, "both must be in the same"),
    ({"systems": [{"ID": "g", "system": "galactic"}]}, "declares 'ra' in GALACTIC"),
])  # fmt: skip
def test_a_frame_that_cannot_be_used_is_refused(tmp_path, given, told):
    votable(tmp_path / "list.vot", **given)
    with pytest.raises(TableError, match=told) as refused:
        Places(open_table(tmp_path / "list.vot"))
    assert "list.vot" in str(refused.value)


@pytest.mark.parametrize("ending", ["ecsv", "fits"])
def test_a_column_of_coordinates_by_astropy(tmp_path, ending):
    place = SkyCoord(LON, LAT, unit="deg", frame=FK5(equinox="J1975"))
    Table({"place": place, "id": ["a", "b", "c"]}).write(tmp_path / f"list.{ending}")
    check(tmp_path / f"list.{ending}", *icrs("fk5", equinox="J1975"))
    assert open_table(tmp_path / f"list.{ending}").columns == ["place.ra", "place.dec", "id"]


def test_names_alone_tell_the_frame_in_a_text(tmp_path):
    path = tmp_path / "list.txt"
    lines = [f"{lon}|{lat}" for lon, lat in zip(LON, LAT, strict=True)]
    path.write_text("\n".join(["# from VizieR", "", "_RAB1950|_DEB1950", *lines]) + "\n")
    check(path, *icrs("fk4", equinox="B1950"))
    path.write_bytes(gzip.compress(path.read_bytes()))
    check(path, *icrs("fk4", equinox="B1950"))


TEN = 15 * (10 + 12 / 60 + 13 / 3600)


@pytest.mark.filterwarnings("ignore::astropy.io.votable.exceptions.W50")
@pytest.mark.parametrize(("unit", "text", "degrees"), [
    ('"h:m:s"', "10:12:13", TEN), ("h:m:s", "10 12 13", TEN), ("hms", "10h12m13s", TEN), ("HH:MM:SS", "10:12:13", TEN),
    ("hh:mm:ss.sss", "10:12:13", TEN), ("hourangle", "10:12:13", TEN), ("h", "10:12:13", TEN), ("hms", "10.5", 157.5),
    ('"d:m:s"', "10:12:13", TEN / 15), ("dms", "10 12 13", TEN / 15), ("dd:mm:ss", "10.5", 10.5),
    ("deg", "10:12:13", TEN / 15), ("deg", "10h12m13s", TEN), ("", "10:12:13", TEN), ("", "10d12m13s", TEN / 15),
    ("degrees", "10.5", 10.5), ("DEG", "10.5", 10.5), ("Degree", "10.5", 10.5), ("RAD", "1", np.degrees(1)),
    ("", "10.5", 10.5), ("arcmin", "90", 1.5), ("nonsense", "10:12:13", TEN), ("h:m:s", "", np.nan),
])  # fmt: skip
def test_units_of_right_ascension(tmp_path, unit, text, degrees):
    table = Table({"ra": [text, text], "dec": ["0", "0"]}, units={"ra": unit} if unit else None)
    table.write(tmp_path / "list.vot", format="votable")
    check(tmp_path / "list.vot", [degrees] * 2, [np.nan if np.isnan(degrees) else 0] * 2)


def test_a_declination_in_parts(tmp_path):
    table = Table({"RAJ2000": ["10 12 13"], "DEJ2000": ["-10 12 13"]}, units={"RAJ2000": "h:m:s", "DEJ2000": "d:m:s"})
    table.write(tmp_path / "list.ecsv", format="ascii.ecsv")
    check(tmp_path / "list.ecsv", [TEN], [-TEN / 15])


@pytest.mark.filterwarnings("ignore::astropy.io.votable.exceptions.W50")
def test_an_unknown_unit_matters_where_there_is_a_number(tmp_path):
    table = Table({"ra": ["10:12:13", "--", "what", "10.5"], "dec": ["0"] * 4}, units={"ra": "furlong"})
    table[:3].write(tmp_path / "list.vot", format="votable")
    placed = list(Places(open_table(tmp_path / "list.vot")).rows())
    assert [one.problem and one.problem.reason for one in placed] == [None, None, "position-not-a-number"]
    table.write(tmp_path / "list.vot", format="votable", overwrite=True)
    with pytest.raises(TableError, match=r"'furlong' is no unit of angle, and list\.vot:4 has a number there"):
        Places(open_table(tmp_path / "list.vot"))


@given(st.lists(st.tuples(st.floats(0, 360, exclude_max=True), st.floats(-89.9, 89.9)), min_size=1, max_size=5))
def test_there_and_back(places):
    """astropy's way from ICRS to FK4, and ours back."""
    ra, dec = np.array(places).T
    there = SkyCoord(ra, dec, unit="deg").transform_to(FK4(equinox="B1950"))
    back = SkyCoord(*frame_of("FK4").to_icrs(there.ra.deg, there.dec.deg), unit="deg")
    assert (back.separation(SkyCoord(ra, dec, unit="deg")).arcsec < 1e-3).all()


def test_blanks_stay_blank_in_any_frame():
    for frame in (ICRS, Frame("fk4", "B1950")):
        ra, dec = frame.to_icrs(np.array([np.nan, -10.0]), np.array([np.nan, 1.0]))
        assert np.isnan([ra[0], dec[0]]).all()
        assert 0 <= ra[1] < 360


@pytest.mark.parametrize(("system", "equinox"), [("FK4", "once"), ("FK5", "B12"), ("GAPPT", "")])
def test_what_is_no_frame(system, equinox):
    with pytest.raises(ValueError, match="is no"):
        frame_of(system, equinox)

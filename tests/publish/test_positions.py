"""Positions out of tables as others write them."""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.errors import TableError
from mergerscope.publish.positions import read_positions
from mergerscope.publish.radius import MAX_ARCSEC, parse_radius

RA, DEC, NAMES = [202.4696, 0.25, 359.75], [47.1952, -0.5, -89.5], ["M 51", "two", "three"]


def table(ra="ra", dec="dec", **more):
    return Table({"name": NAMES, "ra_err": [1.0, 2.0, 3.0], ra: RA, dec: DEC, **more})


def write_parquet(path, what):
    pq.write_table(pa.table({name: what[name].tolist() for name in what.colnames}), path)


WRITERS = {
    "list.csv": lambda path: table("RAJ2000", "DEJ2000").write(path, format="ascii.csv"),
    "list.tsv": lambda path: table("_RA", "_DE").write(path, format="ascii.tab"),
    "list.txt": lambda path: table("RA", "Dec").write(path, format="ascii.csv", delimiter=";"),
    "list.ecsv": lambda path: table().write(path, format="ascii.ecsv"),
    "list.fits": lambda path: table("RA_ICRS", "DE_ICRS").write(path, format="fits"),
    "list.fits.gz": lambda path: table().write(path, format="fits"),
    "list.vot": lambda path: table("ra_deg", "dec_deg").write(path, format="votable"),
    "list.xml": lambda path: table().write(path, format="votable", tabledata_format="binary2"),
    "list.parquet": lambda path: write_parquet(path, table("ALPHA_J2000", "DELTA_J2000")),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_read(tmp_path, name):
    WRITERS[name](tmp_path / name)
    found = read_positions(tmp_path / name)
    assert found.names.tolist() == NAMES
    np.testing.assert_allclose(found.ra_deg, RA)
    np.testing.assert_allclose(found.dec_deg, DEC)
    assert found.label == name


def test_the_format_is_told_by_the_contents_and_not_by_the_name(tmp_path):
    table().write(tmp_path / "list", format="votable")
    (tmp_path / "list.csv").write_bytes(gzip.compress((tmp_path / "list").read_bytes()))
    assert len(read_positions(tmp_path / "list.csv")) == 3


@pytest.mark.parametrize("kind", ["fits", "votable", "parquet", "old votable"])
def test_ucds_go_before_names(tmp_path, kind):
    """The columns called ra and dec here are those of a bright star nearby."""
    path = tmp_path / "list"
    what = table("lon", "lat")
    what["ra"] = what["dec"] = [1.0, 2.0, 3.0]
    ucds = {"lon": "POS.EQ.RA;META.MAIN", "lat": "pos.eq.dec;meta.main"}
    if kind == "old votable":
        ucds = {"lon": "POS_EQ_RA_MAIN", "lat": "POS_EQ_DEC_MAIN"}
    if "votable" in kind:
        for name, ucd in ucds.items():
            what[name].info.meta = {"ucd": ucd}
        what.write(path, format="votable")
    elif kind == "fits":
        hdu = fits.table_to_hdu(what)
        for name, ucd in ucds.items():
            hdu.header[f"TUCD{what.colnames.index(name) + 1}"] = ucd
        hdu.writeto(path)
    else:
        fields = [pa.field(name, pa.float64(), metadata={"ucd": ucd}) for name, ucd in ucds.items()]
        plain = [pa.field(name, pa.float64()) for name in ("ra", "dec")]
        pq.write_table(pa.table([RA, DEC, [1.0, 2, 3], [1.0, 2, 3]], schema=pa.schema(fields + plain)), path)
    np.testing.assert_allclose(read_positions(path).ra_deg, RA)


def test_the_ranked_list_itself_can_be_read(project):
    project.rank()
    for name in ("candidates.parquet", "candidates.csv", "candidates.fits", "candidates.vot"):
        found = read_positions(project.paths.rank_results / name)
        assert len(found) == 37
        assert len(found.placed) == 36
        assert found.names[0] == "g03"


@given(st.floats(0, 359.999), st.floats(-89.999, 89.999), st.sampled_from([":", " ", "hms"]))
def test_sexagesimal_right_ascension_is_in_hours(tmp_path_factory, ra, dec, separator):
    place = SkyCoord(ra, dec, unit="deg")
    path = tmp_path_factory.getbasetemp() / "sexagesimal.csv"
    path.write_text("name,ra,dec\nx,{},{}\n".format(
        place.ra.to_string(u.hourangle, sep=separator, precision=5),
        place.dec.to_string(u.deg, sep="dms" if separator == "hms" else separator, precision=4, alwayssign=True),
    ))  # fmt: skip
    found = read_positions(path)
    assert SkyCoord(found.ra_deg[0], found.dec_deg[0], unit="deg").separation(place).arcsec < 1e-3


def test_units_other_than_degrees_are_heeded(tmp_path):
    what = Table({"ra": np.array(RA) / 15, "dec": np.radians(DEC)})
    what["ra"].unit, what["dec"].unit = "h", "rad"
    what.write(tmp_path / "list.fits")
    found = read_positions(tmp_path / "list.fits")
    np.testing.assert_allclose(found.ra_deg, RA)
    np.testing.assert_allclose(found.dec_deg, DEC)
    assert found.names.tolist() == ["", "", ""]


def test_blank_positions_stay_blank_and_half_a_position_is_none(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("# of 1998\nname,ra,dec\na,1,2\nb,,\nc,1,\nd,-10,2\n")
    found = read_positions(path)
    assert found.placed.tolist() == [0, 3]
    assert np.isnan(found.ra_deg[2])
    assert found.ra_deg[3] == 350
    path.write_text("name,ra,dec\na,1:2:3,2:0:0\nb,,\nc,nan,--\n")
    assert read_positions(path).placed.tolist() == [0]


@pytest.mark.parametrize(("text", "told"), [
    ("ra,dec\n1,1\n400,2\n500,3\n", r"list.txt:3: ra is 400 degrees, outside of -180...360, and 1 more like it"),
    ("ra,dec\n10,-91\n", "list.txt:2: dec is -91 degrees"),
    ("ra,dec\n10,inf\n", "list.txt:2: dec is inf"),
    ("ra,dec\nten,2\n", "list.txt:2: ra is 'ten', which is no angle"),
    ("ra,dec\n10:99:00,2\n", "list.txt:2: ra is '10:99:00', which is no angle"),
    ("l,b\n10,20\n", "no column of right ascension and declination; it has: l, b"),
    ("ra,z\n10,20\n", "no column of declination; it has: ra, z"),
    ("ra,dec\n", "has no rows"),
    ("", "is empty"),
    ("one\ntwo three, four\n", "no column of right ascension and declination; it has: one"),
    ("ra,dec\n1,2,3\n", "list.txt:2: 3 fields where the header has 2"),
    ("ra,dec\n1,\"2\n", "stray quote"),
    ("<?xml version='1.0'?><VOTABLE><RESOURCE>", "begins like a VOTable and cannot be read"),
    ("<?xml version='1.0'?><html></html>", "begins like a VOTable and cannot be read"),
    ("SIMPLE  =                    T", "begins like a FITS table and cannot be read"),
    ("PAR1....", "cannot be read as Parquet"),
    ("\0\1\2", "as no table does that can be read"),
])  # fmt: skip
def test_what_cannot_be_used_is_refused_with_the_reason(tmp_path, text, told):
    path = tmp_path / "list.txt"
    path.write_text(text)
    with pytest.raises(TableError, match=told) as refused:
        read_positions(path)
    assert str(path) in str(refused.value)


def test_a_table_that_is_not_there_a_cut_one_and_a_column_of_no_angle(tmp_path):
    with pytest.raises(TableError, match=r"there is no file /.*none.fits. Give a table as CSV"):
        read_positions(tmp_path / "none.fits")
    table().write(tmp_path / "whole.vot", format="votable")
    whole = (tmp_path / "whole.vot").read_bytes()
    (tmp_path / "cut.vot").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TableError, match="begins like a VOTable and cannot be read"):
        read_positions(tmp_path / "cut.vot")
    what = table()
    what["twice"] = np.ones((3, 2))
    what.rename_columns(["ra", "twice"], ["other", "ra"])
    what.write(tmp_path / "twice.fits")
    with pytest.raises(TableError, match=r"ra is '<>f8 \(2,\)>', which is no angle"):
        read_positions(tmp_path / "twice.fits")
    what = table()
    what["ra"].unit = "kpc"
    what.write(tmp_path / "list.fits")
    with pytest.raises(TableError, match="column 'ra': 'kpc' is no unit of angle"):
        read_positions(tmp_path / "list.fits")


@pytest.mark.parametrize(("text", "arcsec"), [
    ("3arcsec", 3), ("3 arcsec", 3), ('2.5"', 2.5), ("0.05arcmin", 3), ("1e-3deg", 3.6), ("500mas", 0.5), ("1'", 60),
    ("10ARCMIN", MAX_ARCSEC),
])  # fmt: skip
def test_radii(text, arcsec):
    assert parse_radius(text) == pytest.approx(arcsec)


@pytest.mark.parametrize(("text", "told"), [
    ("3", "'3' has no unit: write 3arcsec"), ("3kpc", "'kpc' is no unit of angle"), ("0arcsec", "more than 0"),
    ("-1arcsec", "more than 0"), ("5deg", "is 18000 arcsec"), ("arcsec", "is no angle"), ("nan arcsec", "is no angle"),
    ("1e999deg", "at most 600"),
])  # fmt: skip
def test_radii_that_are_refused(text, told):
    with pytest.raises(ValueError, match=told):
        parse_radius(text)

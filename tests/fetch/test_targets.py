"""Tables of positions in every format give the same galaxies."""

import gzip
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table

from mergerscope.errors import TableError
from mergerscope.fetch.targets import Bad, Target, Targets

COLUMNS = {"id": ["a", "b", "c"], "ra": [150.1163213, 400.0, 10.0], "dec": [2.2, 1.0, -3.25], "votes": [3, 4, 5]}


def written(tmp_path, kind):
    path = tmp_path / f"positions.{kind}"
    table = Table(COLUMNS)
    if kind == "csv":
        table.write(path)
    elif kind == "parquet":
        pq.write_table(pa.table(COLUMNS), path)
    else:
        table["ra"].unit = table["dec"].unit = "deg"
        table.write(path, format="votable" if kind in ("vot", "xml") else "fits")
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "fits", "fits.gz", "vot", "xml"])
def test_every_format_gives_the_same(kind, tmp_path):
    targets = Targets(written(tmp_path, kind))
    good, bad, last = targets.rows()
    assert good == Target("a", 150.1163213, 2.2, ["3"])
    assert isinstance(bad, Bad)
    assert bad.reason == "position-out-of-range"
    assert last == Target("c", 10.0, -3.25, ["5"])
    assert (targets.more_columns, targets.count, targets.ids) == (["votes"], 3, {"a", "b", "c"})


def test_masked_cells_are_blank_and_bytes_are_text(tmp_path):
    table = Table({"id": np.array([b"a ", b"b"]), "ra": MaskedColumn([1.0, 2.0], mask=[False, True]), "dec": [1.0, 2.0],
                   "flag": [True, False], "array": np.ones((2, 3))})  # fmt: skip
    table.write(tmp_path / "t.fits")
    good, bad = Targets(tmp_path / "t.fits").rows()
    assert (good.id, good.more[0]) == ("a", "1")
    assert bad.reason in ("no-position", "position-not-a-number")


@pytest.mark.parametrize(("name", "content", "said"), [
    ("t.csv", "id,ra\na,1\n", "no column of declination; it has: id, ra"),
    ("t.csv", "", "is empty"),
    ("t.txt", "id ra dec", "no column 'id'; it has: id ra dec"),
    ("t.vot", "<VOTABLE", "begins like a VOTable and cannot be read"),
    ("t.fits", "SIMPLE  = no", "begins like a FITS table and cannot be read"),
    ("t.csv", "id,ID,ra,dec\na,b,1,2\n", "told apart by case"),
])  # fmt: skip
def test_a_table_that_cannot_be_used_is_refused(name, content, said, tmp_path):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(TableError, match=said):
        Targets(tmp_path / name)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(TableError, match="there is no file"):
        Targets(tmp_path / "t.csv")


def test_other_units_and_systems_become_icrs_degrees(tmp_path):
    old = SkyCoord([10.0, 20.0], [1.0, 2.0], unit="deg", frame="fk4", equinox="B1950")
    table = Table({"id": ["a", "b"], "RAB1950": old.ra.rad, "DEB1950": old.dec.deg}, units={"RAB1950": "rad"})
    table.write(tmp_path / "t.vot", format="votable")
    found = list(Targets(tmp_path / "t.vot").rows())
    np.testing.assert_allclose([target.ra_deg for target in found], old.icrs.ra.deg)
    np.testing.assert_allclose([target.dec_deg for target in found], old.icrs.dec.deg)
    table["RAB1950"].unit = "kpc"
    table.write(tmp_path / "t.vot", format="votable", overwrite=True)
    with pytest.raises(TableError, match=r"'kpc' is no unit of angle, and t\.vot:1 has a number there"):
        Targets(tmp_path / "t.vot")


def test_columns_of_the_names_that_we_write_do_not_stand_for_the_position(tmp_path):
    table = Table({"id": ["a"], "ra_deg": [1.0], "dec_deg": [2.0], "east": [150.0], "north": [3.0], "votes": [5]})
    for name, ucd in (("east", "pos.eq.ra;meta.main"), ("north", "pos.eq.dec;meta.main")):
        table[name].info.meta = {"ucd": ucd}
    table.write(tmp_path / "t.vot", format="votable")
    targets = Targets(tmp_path / "t.vot")
    assert list(targets.rows()) == [Target("a", 150.0, 3.0, ["5"])]
    assert targets.more_columns == ["votes"]


def test_a_row_whose_id_begins_with_a_hash_is_listed(tmp_path):
    lines = ["# a remark, of ours", "id,ra,dec,note", "a,1,2,x", "#b,3,4,y", 'c,5,6,"one', '# two"', "# the end"]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    first, hashed, quoted, end = Targets(tmp_path / "t.csv").rows()
    assert first == Target("a", 1.0, 2.0, ["x"])
    assert isinstance(hashed, Bad)
    assert (hashed.id, hashed.reason) == ("#b", "id-characters")
    assert quoted == Target("c", 5.0, 6.0, ["one\n# two"])
    assert isinstance(end, Bad)
    assert end.reason == "field-count"


@pytest.mark.parametrize("lines", [
    ["#id,ra,dec", "a,10,2", "b,3,4"],
    ["# from TOPCAT", "# id, ra, dec", "a,10:12:13,+02:00:00", "b,3,4"],
    ["# made by: us, today", "", "#id\tra\tdec", "a\t10\t2", "b\t3\t4"],
    ["# three, words, here", "id,ra,dec", "a,10,2", "b,3,4"],
    ['# "open,1,2', "id;ra;dec", "a;10;2", "b;3;4"],
])  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_the_header_may_be_a_remark(tmp_path, lines, packed):
    path = tmp_path / "t.csv"
    path.write_text("\ufeff" + "\r\n".join(lines) + "\r\n", encoding="utf-8")
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    targets = Targets(path)
    assert [target.id for target in targets.rows()] == ["a", "b"]
    assert list(targets.rows())[1] == Target("b", 3.0, 4.0, [])


def test_remarks_of_a_zipped_table(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("t.csv", "# a remark\n#id,ra,dec\na,1,2\n#b,3,4\n")
    good, bad = Targets(tmp_path / "t.zip").rows()
    assert good == Target("a", 1.0, 2.0, [])
    assert bad.id == "#b"


@pytest.mark.filterwarnings("ignore::astropy.io.votable.exceptions.W50")
@pytest.mark.parametrize(("unit", "given"), [("deg", ("", "")), ("h:m:s", ("10:12:13", "")), ("", ("10:12:13", ""))])
def test_the_list_of_failures_keeps_no_text_that_it_would_read_otherwise(tmp_path, unit, given):
    table = Table({"id": ["a"], "ra": ["10:12:13"], "dec": [""]}, units={"ra": unit} if unit else None)
    table.write(tmp_path / "t.vot", format="votable")
    (bad,) = Targets(tmp_path / "t.vot").rows()
    assert (bad.ra, bad.dec) == given


def test_the_list_of_failures_is_in_icrs_whatever_the_table_was_in(tmp_path):
    """A row whose id was bad has its position changed, one that has none keeps no half of it in the old system."""
    (tmp_path / "t.csv").write_text("id,RAB1950,DEB1950\na.b,10,20\nc,10,\n")
    bad, blank = Targets(tmp_path / "t.csv").rows()
    place = SkyCoord(10, 20, unit="deg", frame="fk4", equinox="B1950").icrs
    assert (float(bad.ra), float(bad.dec)) == pytest.approx((place.ra.deg, place.dec.deg))
    assert (blank.ra, blank.dec, blank.reason) == ("", "", "no-position")

"""Tables of positions in every format give the same galaxies."""

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
    with pytest.raises(TableError, match="'kpc' is no unit of angle"):
        Targets(tmp_path / "t.vot")


def test_the_list_of_failures_is_in_icrs_whatever_the_table_was_in(tmp_path):
    """A row whose id was bad has its position changed, one that has none keeps no half of it in the old system."""
    (tmp_path / "t.csv").write_text("id,RAB1950,DEB1950\na.b,10,20\nc,10,\n")
    bad, blank = Targets(tmp_path / "t.csv").rows()
    place = SkyCoord(10, 20, unit="deg", frame="fk4", equinox="B1950").icrs
    assert (float(bad.ra), float(bad.dec)) == pytest.approx((place.ra.deg, place.dec.deg))
    assert (blank.ra, blank.dec, blank.reason) == ("", "", "no-position")

"""Tables of positions in every format give the same galaxies."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import MaskedColumn, Table

from mergerscope.errors import SurveyError
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
    ("t.csv", "id,ra\na,1\n", "no column 'dec_deg' or 'dec'; it has: id, ra"),
    ("t.csv", "", "is empty"),
    ("t.txt", "id ra dec", "a table ends in one of"),
    ("t.vot", "<VOTABLE", "cannot be read as a votable table"),
    ("t.fits", "SIMPLE  = no", "cannot be read as a fits table"),
    ("t.csv", "id,ID,ra,dec\na,b,1,2\n", "told apart by case"),
])  # fmt: skip
def test_a_table_that_cannot_be_used_is_refused(name, content, said, tmp_path):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(SurveyError, match=said):
        Targets(tmp_path / name)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(SurveyError, match="is no file"):
        Targets(tmp_path / "t.csv")


def test_other_units_than_degrees_are_refused(tmp_path):
    table = Table({"id": ["a"], "ra": [10.0], "dec": [1.0]}, units={"ra": "rad"})
    table.write(tmp_path / "t.vot", format="votable")
    with pytest.raises(SurveyError, match="column 'ra' is in rad"):
        Targets(tmp_path / "t.vot")

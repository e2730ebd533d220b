"""Every format says the same, keeps to its standard, and comes out the same again."""

from __future__ import annotations

import csv
import io
import warnings

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from astropy.io.votable import ucd
from astropy.table import Table

from mergerscope.publish import candidates as module
from mergerscope.publish.columns import candidate_columns
from mergerscope.publish.match_tables import MATCHED, UNMATCHED

EVERY = {"candidates.parquet", "candidates.csv", "candidates.fits", "candidates.vot", "top.vot", "top.reg"}


@pytest.fixture
def written(project):
    project.rank()
    return project.paths.rank_results


def rows_of(folder):
    return pq.read_table(folder / "candidates.parquet").to_pylist()


def test_the_files_that_are_written(written):
    assert {path.name for path in written.iterdir()} == EVERY


@pytest.mark.parametrize("columns", [candidate_columns(9, ["p_merger"]), MATCHED, UNMATCHED])
def test_every_column_has_words_of_the_controlled_vocabulary_and_a_description(columns):
    for column in columns:
        assert ucd.check_ucd(column.ucd, check_controlled_vocabulary=True), column
        assert 0 < len(column.description) <= 68, "what a FITS card holds"
        assert column.unit == {"ra_deg": "deg", "dec_deg": "deg", "list_ra_deg": "deg", "list_dec_deg": "deg",
                               "separation_arcsec": "arcsec"}.get(column.name, "")  # fmt: skip
    assert len({column.name for column in columns}) == len(columns)


@pytest.mark.parametrize("name", ["candidates.vot", "top.vot"])
def test_votables_are_valid(written, name):
    told = io.StringIO()
    assert votable.validate(written / name, output=told, xmllint=False), told.getvalue()
    assert "found no violations" in told.getvalue()
    document = votable.parse(written / name, verify="exception")
    assert document.version == "1.4"
    table = document.get_first_table()
    (system,) = document.iter_coosys()
    assert system.system == "ICRS"
    by_name = {field.name: field for field in table.fields}
    for axis in ("ra", "dec"):
        field = by_name[f"{axis}_deg"]
        assert (field.ref, str(field.unit), field.ucd) == (system.ID, "deg", f"pos.eq.{axis};meta.main")
        assert field.utype
    assert all(field.description for field in table.fields)


def test_binary_votable_fits_and_csv_say_what_parquet_says(written):
    rows = rows_of(written)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = Table.read(written / "candidates.fits")
        binary = votable.parse(written / "candidates.vot", verify="exception").get_first_table()
    with (written / "candidates.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(image) == len(binary.array) == len(lines) == len(rows) == 37
    assert image.colnames == [field.name for field in binary.fields] == list(rows[0]) == list(lines[0])
    for name in image.colnames:
        for row, one, other, line in zip(rows, image[name], binary.array[name], lines, strict=True):
            wanted = row[name]
            if wanted is None:
                assert one is np.ma.masked or one == "" or np.isnan(one)
                assert other is np.ma.masked or other == ""
                assert line[name] == ""
            else:
                assert one == other == wanted
                assert line[name] == wanted or float(line[name]) == pytest.approx(wanted, rel=1e-6)


def test_the_short_votable_is_the_top_that_has_a_position(make):
    ra, dec = np.arange(15.0), np.zeros(15)
    ra[5] = dec[5] = np.nan
    project = make(ra, dec)
    project.rank()
    table = votable.parse(project.paths.rank_results / "top.vot", verify="exception").get_first_table().to_table()
    rows = [row for row in rows_of(project.paths.rank_results)[:10] if row["ra_deg"] is not None]
    assert len(rows) == 9
    assert table["id"].tolist() == [row["id"] for row in rows]
    assert table["score"].tolist() == [row["score"] for row in rows]
    regions = (project.paths.rank_results / "top.reg").read_text().splitlines()
    assert regions[0] == "# Region file format: DS9 version 4.1"
    assert regions[2] == "icrs"
    assert [line.split("{")[1][:-1] for line in regions[3:]] == [row["id"] for row in rows]
    first = regions[3].removeprefix("circle(").split(")")[0].split(",")
    assert (float(first[0]), float(first[1]), first[2]) == (rows[0]["ra_deg"], rows[0]["dec_deg"], '10"')


def test_the_fits_header_describes_every_column_and_has_no_date(written):
    with fits.open(written / "candidates.fits") as images:
        images.verify("exception")
        header = images[1].header
        assert header["RADESYS"] == "ICRS"
        names = {header[f"TTYPE{number}"]: number for number in range(1, header["TFIELDS"] + 1)}
        for column in candidate_columns(3, ["p_merger"]):
            number = names[column.name]
            assert header[f"TCOMM{number}"] == column.description
            assert header[f"TUCD{number}"] == column.ucd
            assert header.get(f"TUNIT{number}", "") == column.unit
        assert "DATE" not in header
        assert "DATE" not in images[0].header
    assert (written / "candidates.fits").stat().st_size % 2880 == 0


def test_parquet_carries_the_same_words_for_arrow_and_for_topcat(written):
    schema = pq.read_schema(written / "candidates.parquet")
    field = schema.field("ra_deg")
    assert field.metadata == {
        b"unit": b"deg", b"ucd": b"pos.eq.ra;meta.main", b"description": b"Right ascension, ICRS",
        b"utype": b"stc:AstroCoords.Position2D.Value2.C1",
    }  # fmt: skip
    head = votable.parse(io.BytesIO(schema.metadata[b"IVOA.VOTable-Parquet.content"]), verify="exception")
    assert [field.name for field in head.get_first_table().fields] == schema.names


def test_the_same_again_gives_the_same_bytes_whatever_the_chunks(project, monkeypatch):
    contents = []
    for chunk in (1 << 16, 1 << 16, 7):
        monkeypatch.setattr(module, "CHUNK", chunk)
        project.rank()
        contents.append({path.name: path.read_bytes() for path in project.paths.rank_results.iterdir()})
    assert contents[0] == contents[1]
    # row groups follow the chunks in Parquet; the others have no such thing
    assert {name for name in EVERY if contents[0][name] != contents[2][name]} == {"candidates.parquet"}


def test_a_survey_without_positions_has_no_links_and_no_error(make):
    nowhere = np.full(6, np.nan)
    project = make(nowhere, nowhere)
    project.rank()
    for row in rows_of(project.paths.rank_results):
        assert [row[name] for name in ("ra_deg", "legacy_viewer", "sdss", "duplicate_of")] == [None] * 4
    assert votable.validate(project.paths.rank_results / "top.vot", output=io.StringIO(), xmllint=False)


def test_a_survey_of_known_mergers_alone_gives_empty_tables(make):
    project = make(np.arange(3.0), np.zeros(3))
    project.rank()
    assert rows_of(project.paths.rank_results) == []
    assert len(Table.read(project.paths.rank_results / "candidates.fits")) == 0
    table = votable.parse(project.paths.rank_results / "candidates.vot", verify="exception").get_first_table()
    assert len(table.array) == 0


def test_vote_columns_of_any_name_are_kept(make):
    votes = {"rank": 0.1, "sdss": 0.2, "fusi\u00f3n <1> & \"2\"": 0.3, "P": 0.4, "p": 0.5, "x" * 80: 0.6}
    project = make(np.arange(5.0), np.zeros(5), votes={
        name.replace('"', "'"): np.full(5, value) for name, value in votes.items()
    })  # fmt: skip
    project.rank()
    folder = project.paths.rank_results
    assert votable.validate(folder / "candidates.vot", output=io.StringIO(), xmllint=False)
    binary = votable.parse(folder / "candidates.vot", verify="exception").get_first_table()
    image = Table.read(folder / "candidates.fits")
    names = ["vote_rank", "vote_sdss", "fusi\u00f3n <1> & '2'", "P", "p", "x" * 80]
    assert [field.name for field in binary.fields][11:17] == names
    assert image.colnames[11:17] == ["vote_rank", "vote_sdss", "fusion <1> & '2'", "P", "p_2", "x" * 68]
    for place, value in enumerate(votes.values(), start=11):
        assert image.columns[place][0] == value
    assert {name: rows_of(folder)[0][name] for name in names} == dict(zip(names, votes.values(), strict=True))

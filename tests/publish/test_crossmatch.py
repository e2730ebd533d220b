"""The ranked list against lists of others."""

from __future__ import annotations

import csv
import json
import shutil

import click
import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import votable
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.errors import ContractError, MissingInputError, TableError
from mergerscope.params import load_params
from mergerscope.publish.command import with_crossmatch
from mergerscope.publish.crossmatch import match_list
from mergerscope.publish.positions import OutsideList, read_positions
from mergerscope.publish.run_crossmatch import run
from mergerscope.survey.catalog_file import read_catalog, write_catalog

TABLES = ("matched", "unmatched_theirs", "unmatched_ours")


def a_list(ra, dec, label="list"):
    ra, dec = np.asarray(ra, float), np.asarray(dec, float)
    return OutsideList(label, np.array([f"n{row}" for row in range(len(ra))]), ra, dec)


def lines(project, name):
    with (project.paths.crossmatch_results / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@given(st.integers(0, 10**6), st.sampled_from([(0.0, 0.0), (77.0, 89.9999), (200.0, -90.0)]))
def test_matches_are_those_that_astropy_finds(seed, centre):
    rng = np.random.default_rng(seed)
    middle = SkyCoord(*centre, unit="deg")
    places = [
        middle.directional_offset_by(rng.uniform(0, 360, count) * u.deg, rng.uniform(0, 30, count) * u.arcsec)
        for count in (30, 12)
    ]
    survey, theirs = places
    match = match_list(a_list(theirs.ra.deg, theirs.dec.deg), survey.ra.deg, survey.dec.deg, 3.0)
    nearest, apart, _ = theirs.match_to_catalog_sky(survey)
    close = apart.arcsec <= 3
    np.testing.assert_array_equal(match.galaxy, np.where(close, nearest, -1))
    np.testing.assert_allclose(match.separation_arcsec[close], apart.arcsec[close], rtol=1e-5, atol=1e-7)
    every = theirs[:, None].separation(survey[None]).arcsec <= 3
    assert match.within.tolist() == every.sum(axis=1).tolist()
    assert match.covered.tolist() == np.flatnonzero(every.any(axis=0)).tolist()


def test_of_two_galaxies_at_one_place_the_earlier_is_taken():
    match = match_list(a_list([10.0], [5.0]), np.array([9.0, 10.0, 10.0]), np.array([5.0, 5.0, 5.0]), 1.0)
    assert match.galaxy.tolist() == [1]
    assert match.within.tolist() == [2]


def test_what_lies_in_the_survey_is_judged_by_its_galaxies():
    grid = np.arange(20) * 0.1
    ra, dec = (axis.ravel() for axis in np.meshgrid(grid, grid))
    theirs = a_list([1.05, 1.05, 50.0, np.nan], [1.02, 2.5, 1.0, np.nan])
    match = match_list(theirs, ra, dec, 3.0)
    assert match.in_survey.tolist() == [True, False, False, False]
    assert (match.galaxy == -1).all()
    empty = match_list(theirs, np.full(3, np.nan), np.full(3, np.nan), 3.0)
    assert not empty.in_survey.any()


@pytest.fixture
def ranked(project):
    project.rank()
    return project


@pytest.fixture
def known_list(ranked, tmp_path):
    """A known merger, two candidates (one with a duplicate, one twice), a miss inside, one far away, one nowhere."""
    catalog = read_catalog(ranked.paths.catalog)
    at = {name: (catalog.ra_deg[row], catalog.dec_deg[row]) for row, name in enumerate(catalog.ids)}
    shift = 0.5 / 3600
    rows = [
        ("Known", *at["g00"]), ("Twice", *at["g20"]), ("Twice too", at["g20"][0], at["g20"][1] + shift),
        ("Double", *at["g06"]), ("Miss", at["g10"][0], at["g10"][1] + 10 / 3600), ("Far", 180.0, 60.0),
        ("Nowhere", "", ""),
    ]  # fmt: skip
    path = tmp_path / "known.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("Name", "RAJ2000", "DEJ2000"), *rows])
    return path


def test_the_tables_of_a_match(ranked, known_list):
    told = run(ranked.paths, [read_positions(known_list)], 3.0, top=10)
    matched = lines(ranked, "matched")
    assert [(row["name"], row["id"], row["role"], row["rank"]) for row in matched] == [
        ("Known", "g00", "known merger", ""), ("Twice", "g20", "candidate", "18"),
        ("Twice too", "g20", "candidate", "18"), ("Double", "g06", "candidate", "4"),
    ]  # fmt: skip
    assert [float(row["separation_arcsec"]) for row in matched] == pytest.approx([0, 0, 0.5, 0], abs=1e-6)
    assert [row["within_radius"] for row in matched] == ["1", "1", "1", "2"]
    assert [(row["name"], row["in_survey"], row["reason"]) for row in lines(ranked, "unmatched_theirs")] == [
        ("Miss", "true", "no galaxy within the radius"), ("Far", "false", "outside of the survey"),
        ("Nowhere", "", "no position"),
    ]  # fmt: skip
    # the first ten are g03 ... g12; g06 is in the list, and g07 lies within the radius of the same entry
    assert [row["id"] for row in lines(ranked, "unmatched_ours")] == [f"g{n:02d}" for n in (3, 4, 5, 8, 9, 10, 11, 12)]
    summary = json.loads((ranked.paths.crossmatch_results / "summary.json").read_text())
    (one,) = summary["lists"]
    assert one["recall_at"] == {"10": 0.5, "37": 1.0}
    assert {name: one[name] for name in (
        "entries", "with_position", "in_survey", "matched", "galaxies", "known_mergers", "candidates", "not_ranked",
        "best_rank", "median_rank",
    )} == {
        "entries": 7, "with_position": 6, "in_survey": 5, "matched": 4, "galaxies": 3, "known_mergers": 1,
        "candidates": 2, "not_ranked": 0, "best_rank": 4, "median_rank": 11.0,
    }  # fmt: skip
    assert "known.csv: 7 entries, 6 with a position, 5 in the survey's area, 4 matched within 3 arcsec" in told[0]
    assert "best rank 4, median 11; 50% in the first 10" in told[2]


def test_the_votables_of_a_match_are_valid_and_say_the_same(ranked, known_list):
    run(ranked.paths, [read_positions(known_list)], 3.0, top=10)
    for name in TABLES:
        table = votable.parse(ranked.paths.crossmatch_results / f"{name}.vot", verify="exception").get_first_table()
        assert [field.name for field in table.fields] == list(lines(ranked, name)[0])
        assert len(table.array) == len(lines(ranked, name))


def test_several_lists_stand_in_one_table(ranked, known_list, tmp_path):
    other = tmp_path / "\u03b1.csv"
    shutil.copy(known_list, other)
    run(ranked.paths, [read_positions(known_list), read_positions(other)], 3.0, top=10)
    assert {row["list"] for row in lines(ranked, "matched")} == {"known.csv", "\u03b1.csv"}
    assert len(lines(ranked, "matched")) == 8
    votable.parse(ranked.paths.crossmatch_results / "matched.vot", verify="exception")


def test_every_entry_is_in_one_of_the_tables(ranked, known_list):
    theirs = read_positions(known_list)
    run(ranked.paths, [theirs], 3.0, top=10)
    rows = [int(row["row"]) for name in TABLES[:2] for row in lines(ranked, name)]
    assert sorted(rows) == list(range(1, len(theirs) + 1))


def test_a_survey_without_positions_matches_nothing_and_says_so(make, known_list):
    nowhere = np.full(5, np.nan)
    project = make(nowhere, nowhere)
    project.rank()
    told = run(project.paths, [read_positions(known_list)], 3.0, top=10)
    assert "No galaxy of the survey has a position: nothing can match." in told
    assert [lines(project, name) for name in ("matched", "unmatched_ours")] == [[], []]


def test_a_list_that_was_ranked_from_another_catalogue_is_refused(ranked, make, known_list):
    other = make(np.arange(5.0), np.zeros(5))
    shutil.copytree(ranked.paths.rank_results, other.paths.rank_results)
    with pytest.raises(ContractError, match="are not in the catalogue, the first is g0"):
        run(other.paths, [read_positions(known_list)], 3.0, top=10)
    shutil.rmtree(other.paths.rank_results)
    with pytest.raises(MissingInputError, match="mergerscope rank"):
        run(other.paths, [read_positions(known_list)], 3.0, top=10)


@pytest.fixture
def verb(project):
    """The verb `rank` around a stand-in for the stage, which counts how often it runs."""
    ran = []

    @click.command("rank", help="Order every galaxy.")
    @click.pass_obj
    def rank(place):
        project.rank()
        ran.append(place)

    def call(*arguments):
        place = (project.paths, project.paths.params)
        done = CliRunner().invoke(with_crossmatch(rank), [str(part) for part in arguments], obj=place)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done, len(ran)

    return call


def test_a_ranking_that_is_current_is_not_made_again(verb, ranked, known_list):
    done, ran = verb("--crossmatch", known_list)
    assert (done.exit_code, ran) == (0, 0)
    assert "4 matched within 3 arcsec" in done.output
    assert "4 matched within 0.6 arcsec" in verb("--crossmatch", known_list, "--radius", "0.01arcmin")[0].output
    assert "3 matched within 0.2 arcsec" in verb("--crossmatch", known_list, "--radius", "200mas")[0].output


@pytest.mark.parametrize("change", ["settings", "catalogue", "embeddings", "nothing there", "broken"])
def test_a_ranking_that_is_not_current_is_made_again(verb, ranked, known_list, change):
    paths = ranked.paths
    if change == "settings":
        paths.params.write_text("rank: {top: 10, duplicates_arcsec: 1.0}\n")
        ranked.params = load_params(paths.params)
    elif change == "catalogue":
        write_catalog(read_catalog(paths.catalog).table.replace_schema_metadata(
            pq.read_schema(paths.catalog).metadata | {b"more": b"of it"}
        ), paths.catalog)
    elif change == "embeddings":
        (paths.embeddings / "meta.json").write_text((paths.embeddings / "meta.json").read_text() + " ")
    elif change == "broken":
        (paths.rank_results / "candidates.parquet").write_bytes(b"PAR1")
    else:
        shutil.rmtree(paths.rank_results)
    assert verb("--crossmatch", known_list)[1] == 1
    assert verb("--crossmatch", known_list)[1] == 1


def test_without_a_list_the_verb_ranks_as_ever(verb):
    assert verb()[1] == 1


def test_a_bad_table_is_told_before_anything_is_ranked(verb, project, tmp_path):
    (tmp_path / "bad.csv").write_text("ra,dec\n400,1\n")
    with pytest.raises(TableError, match="ra is 400 degrees"):
        verb("--crossmatch", tmp_path / "bad.csv")
    assert not project.paths.rank_results.exists()


@pytest.mark.parametrize(("arguments", "told"), [
    (["--crossmatch", "x.csv", "--radius", "3"], "'3' has no unit: write 3arcsec"),
    (["--crossmatch", "x.csv", "--radius", "5deg"], "is 18000 arcsec"),
    (["--radius", "3arcsec"], "--radius goes with --crossmatch FILE"),
])  # fmt: skip
def test_options_that_make_no_sense(verb, arguments, told):
    done, ran = verb(*arguments)
    assert (done.exit_code, ran) == (2, 0)
    assert told in done.output

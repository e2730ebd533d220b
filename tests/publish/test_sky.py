"""Distances, pairs and groups on the sphere against slow and sure ways."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.publish.sky import chord, first_of_group, pairs_within, separation_arcsec, unit_vectors

RADIUS = 2.0
CENTRES = [(0.0, 0.0), (359.9999, 20.0), (123.0, 90.0), (17.0, -90.0), (180.0, -89.9999), (40.0, 60.0)]


def clump(seed, centre, count, spread_arcsec):
    """Places around a centre, by tangent offsets, so that they lie right also around a pole."""
    rng = np.random.default_rng(seed)
    middle = SkyCoord(*centre, unit="deg")
    turn = rng.uniform(0, 360, count) * u.deg
    away = spread_arcsec * np.sqrt(rng.uniform(0, 1, count)) * u.arcsec
    places = middle.directional_offset_by(turn, away)
    return places.ra.deg, places.dec.deg


def slow_groups(ra, dec, radius):
    """Grow each group from its first member by comparing everything with everything."""
    places = SkyCoord(ra, dec, unit="deg")
    near = places[:, None].separation(places[None]).arcsec <= radius
    first = np.full(len(ra), -1)
    for start in range(len(ra)):
        todo = [start] if first[start] < 0 else []
        while todo:
            row = todo.pop()
            if first[row] < 0:
                first[row] = start
                todo += np.flatnonzero(near[row] & (first < 0)).tolist()
    return first


@given(st.integers(0, 10**6), st.sampled_from(CENTRES), st.integers(1, 25), st.sampled_from([3.0, 12.0, 100.0]))
def test_groups_are_those_of_comparing_everything(seed, centre, count, spread):
    ra, dec = clump(seed, centre, count, spread)
    np.testing.assert_array_equal(first_of_group(ra, dec, RADIUS), slow_groups(ra, dec, RADIUS))


@given(st.integers(0, 10**6), st.sampled_from(CENTRES))
def test_pairs_are_those_of_comparing_everything(seed, centre):
    ours, theirs = clump(seed, centre, 20, 10.0), clump(seed + 1, centre, 8, 10.0)
    apart = SkyCoord(*theirs, unit="deg")[:, None].separation(SkyCoord(*ours, unit="deg")[None]).arcsec
    rows, columns, found = pairs_within(unit_vectors(*theirs), unit_vectors(*ours), RADIUS)
    wanted = {(int(row), int(column)) for row, column in np.argwhere(apart <= RADIUS)}
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == wanted
    np.testing.assert_allclose(found, apart[rows, columns], rtol=1e-6, atol=1e-6)
    assert (np.diff(rows) >= 0).all()
    assert all((np.diff(found[rows == row]) >= 0).all() for row in np.unique(rows))


@given(st.floats(1e-3, 180 * 3600 - 1))
def test_chord_and_separation_undo_each_other(angle):
    assert separation_arcsec(np.array(chord(angle))) == pytest.approx(angle, rel=1e-6)


def test_turns_of_right_ascension_change_nothing():
    ra, dec = np.array([0.0, 360.0, -0.0001, 359.9999, 10.0]), np.zeros(5)
    assert first_of_group(ra, dec, RADIUS).tolist() == [0, 0, 0, 0, 4]


def test_places_without_a_position_are_nobodys_duplicates():
    ra, dec = np.array([np.nan, np.nan, 1.0, 1.0, 1.0]), np.array([np.nan, 1.0, np.nan, 2.0, 2.0])
    assert first_of_group(ra, dec, RADIUS).tolist() == [0, 1, 2, 3, 3]
    assert first_of_group(ra, dec, 0.0).tolist() == [0, 1, 2, 3, 4]


def test_a_hundred_thousand_galaxies_at_one_place_are_one_group():
    """Some surveys write (0, 0) for "unknown"; their pairs would not fit into any memory."""
    assert not first_of_group(np.zeros(100_000), np.zeros(100_000), RADIUS).any()


def flags(project):
    table = pq.read_table(project.paths.rank_results / "candidates.parquet")
    return dict(zip(table["id"].to_pylist(), table["duplicate_of"].to_pylist(), strict=True))


def test_the_better_ranked_of_two_is_the_first(project):
    assert project.rank().duplicates == 1
    assert {name: first for name, first in flags(project).items() if first} == {"g07": "g06"}


def test_an_entry_of_a_known_merger_names_it(make):
    """g00 is known, g04 and g05 lie beside it, in a chain over 0 hours; g06 and g08 are apart from them."""
    step = 1.5 / 3600
    ra = np.array([359.9999, 90, 100, 110, 359.9999 + step, (359.9999 + 2 * step) % 360, 200, 300, 200])
    project = make(ra, np.zeros(9))
    project.rank()
    assert flags(project) == {"g03": None, "g04": "g00", "g05": "g00", "g06": None, "g07": None, "g08": "g06"}


def test_zero_switches_the_flags_off(project):
    project.params = project.params.model_copy(
        update={"rank": project.params.rank.model_copy(update={"duplicates_arcsec": 0.0})}
    )
    assert project.rank().duplicates == 0
    assert set(flags(project).values()) == {None}

"""What the manifest tells of the sizes of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.shards.manifest import Manifest
from mergerscope.shards.sampling import Sampling, sampling_of, sides_of


def test_a_survey_of_one_scale() -> None:
    told = sampling_of([(0.311, 0.262, 900), (0.311, 0.262, 95), (4.0, 3.0, 5)])
    assert told == Sampling(1000, 0.311, 0.311, 0.311, 0.262, 0.262, 0.262)
    assert told.uniform


def test_a_survey_of_many() -> None:
    told = sampling_of([(0.1 + 0.01 * number, 0.2, 1) for number in range(21)])
    assert told == Sampling(21, 0.2, 0.11, 0.29, 0.2, 0.2, 0.2)
    assert (told.one_scale, told.uniform) == (False, False)


def test_one_angle_in_two_samplings_is_not_uniform() -> None:
    told = sampling_of([(0.311, 0.262, 600), (0.311, 0.524, 400)])
    assert told == Sampling(1000, 0.311, 0.311, 0.311, 0.262, 0.262, 0.524)
    assert (told.one_scale, told.uniform) == (True, False)


SIDES = st.floats(0.01, 10).map(lambda side: float(f"{side:.4g}"))


@given(st.lists(st.tuples(SIDES, SIDES, st.integers(1, 60)), min_size=1, max_size=12))
def test_percentiles_are_those_of_one_row_a_galaxy(counts: list[tuple[float, float, int]]) -> None:
    told = sampling_of(counts)
    rows = np.repeat([pair[:2] for pair in counts], [pair[2] for pair in counts], axis=0)
    pixel, flux_pixel = np.quantile(rows, (0.5, 0.05, 0.95), axis=0).T
    assert told.galaxies == len(rows)
    found = [told.pixel_arcsec, told.pixel_arcsec_5, told.pixel_arcsec_95]
    assert found == pytest.approx(pixel, rel=6e-4)  # of four digits
    found = [told.flux_pixel_arcsec, told.flux_pixel_arcsec_5, told.flux_pixel_arcsec_95]
    assert found == pytest.approx(flux_pixel, rel=6e-4)


def test_galaxies_take_no_memory() -> None:
    told = sampling_of([(0.311, 0.262, 10**12), (0.4, 0.3, 10**12 + 1)])  # as rows 32 TB
    assert told == Sampling(2 * 10**12 + 1, 0.4, 0.311, 0.4, 0.3, 0.262, 0.3)


def test_nobody_tells() -> None:
    assert sampling_of([]) is None
    assert sides_of(None, None) is None
    assert sides_of(0.31123456, 0.262) == (0.3112, 0.262)


def test_there_and_back(tmp_path) -> None:
    told = Sampling(7, 0.3, 0.2, 0.4, 0.1, 0.1, 0.2)
    manifest = Manifest((1, 8, 8), "float32", ("g",), 0.5, 0, (), (), "count", 2, told)
    manifest.save(tmp_path / "manifest.json")
    assert Manifest.load(tmp_path / "manifest.json") == manifest


def test_a_manifest_of_before_is_read(tmp_path) -> None:
    path = tmp_path / "manifest.json"
    Manifest((1, 8, 8), "float32", ("g",), 0.5, 0, (), (), "count").save(path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(' "binning": 1,\n', "").replace(' "sampling": null,\n', ""), encoding="utf-8")
    assert "sampling" not in path.read_text(encoding="utf-8")
    old = Manifest.load(path)
    assert (old.binning, old.sampling) == (1, None)

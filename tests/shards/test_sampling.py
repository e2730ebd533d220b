"""What the manifest tells of the sizes of pixels."""

from __future__ import annotations

from mergerscope.shards.manifest import Manifest
from mergerscope.shards.sampling import Sampling, sampling_of, sides_of


def test_a_survey_of_one_scale() -> None:
    told = sampling_of([(0.311, 0.262, 900), (0.311, 0.262, 95), (4.0, 3.0, 5)])
    assert told == Sampling(1000, 0.311, 0.311, 0.311, 0.262)
    assert told.uniform


def test_a_survey_of_many() -> None:
    told = sampling_of([(0.1 + 0.01 * number, 0.2, 1) for number in range(21)])
    assert told == Sampling(21, 0.2, 0.11, 0.29, 0.2)
    assert not told.uniform


def test_nobody_tells() -> None:
    assert sampling_of([]) is None
    assert sides_of(None, None) is None
    assert sides_of(0.31123456, 0.262) == (0.3112, 0.262)


def test_there_and_back(tmp_path) -> None:
    manifest = Manifest((1, 8, 8), "float32", ("g",), 0.5, 0, (), (), "count", 2, Sampling(7, 0.3, 0.2, 0.4, 0.1))
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

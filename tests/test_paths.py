"""Paths stay inside the root, and the root is found from below."""

from pathlib import Path

import pytest

from mergerscope.paths import Paths, find_root

NAMES = [name for name, value in vars(Paths).items() if isinstance(value, property)]


def test_the_root_is_the_nearest_folder_with_settings(tmp_path):
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (tmp_path / "params.yaml").touch()
    assert find_root(deep) == tmp_path
    (tmp_path / "a" / "params.yaml").touch()
    assert find_root(deep) == tmp_path / "a"


def test_a_folder_named_like_the_settings_is_no_root(tmp_path):
    below = tmp_path / "below"
    (below / "params.yaml").mkdir(parents=True)
    (tmp_path / "params.yaml").touch()
    assert find_root(below) == tmp_path


def test_without_settings_the_root_is_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_root() == tmp_path.resolve()


@pytest.mark.parametrize("name", NAMES)
def test_every_path_lies_below_the_root(name, tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    path = getattr(Paths(tmp_path), name)
    assert isinstance(path, Path)
    assert path.is_relative_to(tmp_path)
    assert path != tmp_path


def test_no_two_paths_are_the_same(tmp_path):
    places = [getattr(Paths(tmp_path), name) for name in NAMES]
    assert len(set(places)) == len(places)


def test_the_tracking_store_is_the_real_projects_inside_a_dvc_experiment(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "real"))
    assert Paths(tmp_path / "copy").tracking_database == tmp_path / "real" / "mlflow.db"

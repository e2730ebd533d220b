"""A small project to sweep over: sixty galaxies, networks that train in a second, and a tracking store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from ruamel.yaml import YAML

from mergerscope.params import Params, load_params
from mergerscope.paths import Paths
from mergerscope.shards.manifest import STAGE, Manifest
from mergerscope.survey.refusals import refusals_csv
from mergerscope.tracking.store import initialise

SMALL = {
    "target": {"column": "p_merger"},
    "shard": {"size": 16, "crop": 1.0, "per_shard": 4, "workers": 1, "max_refused": 1.0},
    "encoder": {"width": 0.125, "embedding_dim": 16},
    "train": {"epochs": 2, "batch_size": 32, "workers": 0, "precision": "32", "device": "cpu", "monitor_images": 60},
    "embed": {"views": 1, "device": "cpu"},
    "rank": {"folds": 3},
    "sweep": {
        "k": 10,
        "epochs": 2,
        "sampler": "random",
        "space": {
            "views.strength": {"type": "float", "low": 0.0, "high": 1.0},
            "encoder.embedding_dim": {"type": "int", "low": 4, "high": 32, "log": True},
        },
    },
}


@pytest.fixture(scope="session")
def made_once(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that tests copy."""
    root = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
            patch.delenv(name, raising=False)
        YAML().dump(SMALL, root / "params.yaml")
        paths = made.make_shards(root, load_params(root / "params.yaml"), galaxies=60, mergers=20)
        paths.catalog_report.mkdir(parents=True)
        refused = [one for one in Manifest.load(paths.manifest).refused if one.stage != STAGE]
        (paths.catalog_report / "refused.csv").write_text(refusals_csv(refused), encoding="utf-8")
        initialise(paths)
    return root


@pytest.fixture
def paths(made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of it for one test."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CI", "true")  # no system metrics
    shutil.copytree(made_once, tmp_path / "project")
    return Paths(tmp_path / "project")


@pytest.fixture
def params(paths: Paths) -> Params:
    return load_params(paths.params)


@pytest.fixture
def changed(paths: Paths) -> Callable[..., Params]:
    """Write changed settings into the project's file and return them."""

    def changed(**blocks: dict[str, object]) -> Params:
        tree = YAML(typ="safe").load(paths.params)
        for block, values in blocks.items():
            tree.setdefault(block, {}).update(values)
        YAML().dump(tree, paths.params)
        return load_params(paths.params)

    return changed

"""A small project as the stages before `register` leave it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mergerscope.learn.encoder import EncoderConfig, build_encoder, save_encoder
from mergerscope.params import Params, ShardParams, parse_params
from mergerscope.paths import Paths
from mergerscope.shards.writer import write_shards
from mergerscope.survey.catalog import build_catalog, read_catalog, write_catalog
from mergerscope.tracking.store import initialise

SIZE = 16
GALAXIES = 11


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees the store of its surroundings, nor leaves a run open."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CI", "true")  # no system metrics
    yield
    import mlflow

    while mlflow.active_run() is not None:
        mlflow.end_run()


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as it is first made, which takes some seconds; a copy finds out where it lies."""
    paths = Paths(tmp_path_factory.mktemp("store"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("DVC_ROOT", raising=False)
        initialise(paths)
    return paths.tracking_database


@pytest.fixture
def params() -> Params:
    return parse_params({
        "target": {"column": "merger"},
        "shard": {"size": SIZE, "crop": 1.0, "per_shard": 4, "workers": 1},
        "encoder": {"width": 0.125, "embedding_dim": 8},
        "train": {"epochs": 2},
    })


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue and shards of a few galaxies, made once."""
    root = tmp_path_factory.mktemp("packed")
    survey = root / "survey"
    (survey / "images").mkdir(parents=True)
    rng = np.random.default_rng(3)
    lines = ["id,filename,merger"]
    for number in range(GALAXIES):
        Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)).save(survey / "images" / f"g{number}.png")
        lines.append(f"g{number},g{number}.png,{0.9 if number % 3 == 0 else 0.1}")
    (survey / "catalog.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = parse_params({"target": {"column": "merger"}})
    result = build_catalog(survey, settings.survey, settings.target, settings.split, workers=1)
    paths = Paths(root)
    write_catalog(result.table, paths.catalog)
    shard = ShardParams(size=SIZE, crop=1.0, per_shard=4, workers=1)
    write_shards(read_catalog(paths.catalog), survey, paths.shards, shard, result.refused, scratch=root / "scratch")
    return root


@pytest.fixture
def paths(tmp_path: Path, packed: Path, new_store: Path) -> Paths:
    """A project whose `train` has run: catalogue, shards, encoder and its validation scores."""
    # A space, because a path becomes a part of several addresses.
    paths = Paths(tmp_path / "a project")
    paths.root.mkdir()
    paths.tracking_database.write_bytes(new_store.read_bytes())
    paths.catalog.write_bytes((packed / "catalog.parquet").read_bytes())
    paths.shards.mkdir()
    for file in (packed / "shards").iterdir():
        (paths.shards / file.name).write_bytes(file.read_bytes())
    write_encoder(paths)
    write_validation(paths)
    return paths


def write_encoder(paths: Paths, seed: int = 1, *, pairs_head: bool = True) -> None:
    """Write ``models/encoder.*`` with weights that depend on the seed."""
    config = EncoderConfig(18, 0.125, 8, "stages", 3, SIZE, pairs_head)
    save_encoder(build_encoder(config, seed), paths.encoder_weights, paths.encoder_config)


def write_validation(
    paths: Paths, trained: float | None = 0.6, untrained: float | None = 0.4, **judged_on: str | None
) -> None:
    """Write ``results/train/metrics.json`` and a history of two epochs."""
    scores = {"trained": trained, "untrained": untrained}
    validation = {name: {"recall": 0.5, "average_precision": value} for name, value in scores.items()}
    paths.train_results.mkdir(parents=True, exist_ok=True)
    rest = {"k": 100, "folds": 6, "survey": "5ca1ab1e0000", "split": "0ddba11f0000"} | judged_on
    tree = {"validation": validation | rest, "epochs": 2, "images": GALAXIES}
    (paths.train_results / "metrics.json").write_text(json.dumps(tree), encoding="utf-8")
    text = "epoch,loss,validation_recall\n1,2.5,\n2,1.5,0.25\n"
    (paths.train_results / "history.csv").write_text(text, encoding="utf-8")


@pytest.fixture
def retrain() -> Callable[..., None]:
    return write_encoder


@pytest.fixture
def rejudge() -> Callable[..., None]:
    return write_validation

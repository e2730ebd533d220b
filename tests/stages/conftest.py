"""A small project as `train` leaves it, made by the stages before and an untrained encoder."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mergerscope.learn.encoder import EncoderConfig, build_encoder, save_encoder
from mergerscope.params import Params, parse_params
from mergerscope.paths import Paths
from mergerscope.stages import catalog, register, shard
from mergerscope.tracking.store import initialise


@pytest.fixture(scope="session")
def trained_params() -> Params:
    return parse_params({
        "survey": {"root": "survey"},
        "target": {"column": "p_merger"},
        "shard": {"size": 16, "crop": 1.0, "per_shard": 4, "workers": 1},
        "encoder": {"width": 0.125, "embedding_dim": 8},
        "embed": {"batch_size": 3, "device": "cpu"},
    })


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, trained_params: Params) -> Path:
    """Two projects that tests copy: a store and shards take some seconds to make."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
            patch.delenv(name, raising=False)
        paths = Paths(folder / "trained")
        _write_survey(paths.root / "survey")
        catalog.run(paths, trained_params)
        shard.run(paths, trained_params)
        _write_encoder(paths)
        initialise(paths)
        shutil.copytree(paths.root, folder / "registered")
        register.run(Paths(folder / "registered"), trained_params)
    return folder


@pytest.fixture
def trained(made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Eleven galaxies in three shards, an encoder with scores that pass the gate, and a store without a model."""
    return _copy(made_once / "trained", tmp_path / "project", monkeypatch)


@pytest.fixture
def registered(made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """The same after `register`."""
    return _copy(made_once / "registered", tmp_path / "project", monkeypatch)


def _copy(made: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(made, place)
    return Paths(place)


def _write_survey(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    lines = ["id,filename,p_merger"]
    for number in range(11):
        pixels = np.random.default_rng(number).integers(0, 255, (16, 16, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        (folder / "images" / f"g{number:02d}.png").write_bytes(buffer.getvalue())
        lines.append(f"g{number:02d},g{number:02d}.png,{0.9 if number < 3 else 0.1}")
    (folder / "catalog.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_encoder(paths: Paths) -> None:
    config = EncoderConfig(18, 0.125, 8, "stages", 3, 16, pairs_head=True)
    save_encoder(build_encoder(config, 1), paths.encoder_weights, paths.encoder_config)
    scores = {"trained": {"average_precision": 0.6}, "untrained": {"average_precision": 0.4}}
    paths.train_results.mkdir(parents=True)
    metrics = {"validation": scores, "epochs": 1, "images": 11}
    (paths.train_results / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")

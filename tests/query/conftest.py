"""A small survey of drawn galaxies that was embedded by a registered, untrained encoder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mergerscope.learn.encoder import EncoderConfig, build_encoder, save_encoder
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.query.request import Request
from mergerscope.query.run import run
from mergerscope.stages import embed, register
from mergerscope.tracking.store import initialise


@pytest.fixture(scope="session")
def params(made: ModuleType) -> Params:
    return made.made_params(embed={"batch_size": 32, "device": "cpu", "views": 1})  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def embedded_once(made: ModuleType, params: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
            patch.delenv(name, raising=False)
        paths: Paths = made.make_shards(tmp_path_factory.mktemp("embedded") / "project", params, 60, 12)
        paths.models.mkdir()
        config = EncoderConfig(18, 0.125, 8, "stages", 3, params.shard.size, pairs_head=True)
        save_encoder(build_encoder(config, 1), paths.encoder_weights, paths.encoder_config)
        scores = {"trained": {"average_precision": 0.6}, "untrained": {"average_precision": 0.4}}
        paths.train_results.mkdir(parents=True)
        (paths.train_results / "metrics.json").write_text(json.dumps({"validation": scores}), encoding="utf-8")
        initialise(paths)
        register.run(paths, params)
        embed.run(paths, params)
    return paths.root


@pytest.fixture
def embedded(embedded_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(embedded_once, tmp_path / "project")
    return Paths(tmp_path / "project")


@pytest.fixture
def search(embedded: Paths, params: Params) -> Callable[..., Path]:
    """Search the survey for what is named, and return the folder of the results."""

    def go(**asked: object) -> Path:
        run(embedded, params, Request(**asked))  # type: ignore[arg-type]
        out = asked.get("out")
        return out if isinstance(out, Path) else embedded.search_results

    return go

"""A small survey of drawn galaxies that was embedded by a registered, untrained encoder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mergerscope.learn.encoder import Encoder, EncoderConfig, build_encoder, save_encoder
from mergerscope.learn.fit import fresh_encoder
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.query.request import Request
from mergerscope.query.run import run
from mergerscope.shards.manifest import Manifest
from mergerscope.stages import catalog, embed, register, shard
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
        config = EncoderConfig(18, 0.125, 8, "stages", 3, params.shard.size, pairs_head=True)
        embed_untrained(paths, params, build_encoder(config, 1))
    return paths.root


def embed_untrained(paths: Paths, params: Params, encoder: Encoder) -> None:
    """Register an encoder as if it had been trained, and embed the survey with it."""
    paths.models.mkdir()
    save_encoder(encoder, paths.encoder_weights, paths.encoder_config)
    scores = {"trained": {"average_precision": 0.6}, "untrained": {"average_precision": 0.4}}
    paths.train_results.mkdir(parents=True)
    (paths.train_results / "metrics.json").write_text(json.dumps({"validation": scores}), encoding="utf-8")
    initialise(paths)
    register.run(paths, params)
    embed.run(paths, params)


@pytest.fixture(scope="session")
def embed_survey() -> Callable[[Path, Params], Paths]:
    """Take the survey of flux in a project through all stages up to `embed`, with an untrained encoder."""

    def go(root: Path, params: Params) -> Paths:
        paths = Paths(root)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
                patch.delenv(name, raising=False)
            catalog.run(paths, params)
            shard.run(paths, params)
            embed_untrained(paths, params, fresh_encoder(params, paths.shards, Manifest.load(paths.manifest)))
        return paths

    return go


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

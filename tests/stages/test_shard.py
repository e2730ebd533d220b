from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mergerscope.errors import MissingInputError
from mergerscope.params import parse_params
from mergerscope.paths import Paths
from mergerscope.shards import writer
from mergerscope.shards.manifest import Manifest
from mergerscope.stages import catalog, shard
from mergerscope.survey import digests

PARAMS = parse_params(
    {
        "survey": {"root": "survey"},
        "target": {"column": "p_merger"},
        "shard": {"size": 16, "per_shard": 4, "workers": 1, "max_refused": 0.5},
    }
)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A survey of nine galaxies, one with an empty file, and a tenth whose id no shard can hold."""
    images = tmp_path / "survey" / "images"
    images.mkdir(parents=True)
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 255, (24, 24, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG")
        (images / f"g{number}.jpg").write_bytes(b"" if number == 4 else buffer.getvalue())
    lines = [f"g{number},g{number}.jpg,{0.9 if number < 3 else 0.1}" for number in range(9)]
    table = "\n".join(["id,filename,p_merger", *lines, "g.9,g9.jpg,0.1"])
    (tmp_path / "survey" / "catalog.csv").write_text(table + "\n")
    return Paths(tmp_path)


def test_the_stage_packs_what_the_catalogue_lists(paths: Paths) -> None:
    catalog.run(paths, PARAMS)
    shard.run(paths, PARAMS)
    manifest = Manifest.load(paths.manifest)
    assert [entry.count for entry in manifest.shards] == [4, 3, 1]
    assert [(refusal.id, refusal.stage, refusal.reason) for refusal in manifest.refused] == [
        ("g.9", "catalog", "id-with-dot"),
        ("g4", "shard", "empty-file"),
    ]
    before = {path.name: path.read_bytes() for path in paths.shards.iterdir()}
    shard.run(paths, PARAMS)
    assert {path.name: path.read_bytes() for path in paths.shards.iterdir()} == before
    assert not list(paths.scratch.iterdir())


def test_the_number_of_processes_changes_no_byte(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is why dvc.yaml lists `shard.workers` for no stage."""
    monkeypatch.setattr(writer, "INLINE", 0)
    monkeypatch.setattr(digests, "INLINE", 0)
    monkeypatch.setattr(digests, "CHUNK", 2)
    found = []
    for workers in (1, 2):
        params = PARAMS.model_copy(update={"shard": PARAMS.shard.model_copy(update={"workers": workers})})
        catalog.run(paths, params)
        shard.run(paths, params)
        files = [paths.catalog, *paths.catalog_report.iterdir(), *paths.shards.iterdir()]
        found.append({path.name: path.read_bytes() for path in files})
    assert found[0] == found[1]
    assert {"catalog.parquet", "summary.json", "manifest.json", "shard-000000.tar"} <= found[0].keys()


def test_without_a_catalogue(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="mergerscope catalog"):
        shard.run(Paths(tmp_path), PARAMS)

"""Embeddings with a cluster in them that plays the mergers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write_store import StoreWriter


@dataclass(frozen=True)
class Planted:
    """600 galaxies of 24 numbers, the first 60 of them mergers that lie a little apart."""

    values: np.ndarray
    ids: list[str]
    mergers: np.ndarray
    others: np.ndarray
    logits: np.ndarray

    @property
    def store(self) -> EmbeddingStore:
        return EmbeddingStore.from_array(self.ids, self.values, self.logits)


@pytest.fixture(scope="session")
def planted() -> Planted:
    generator = np.random.default_rng(3)
    values = generator.standard_normal((600, 24)) @ np.diag(np.geomspace(3, 0.3, 24)) + 2
    merger = np.arange(600) < 60
    values[merger, 10:14] += 2.0
    logits = merger * 1.5 + generator.standard_normal(600)
    ids = [f"g{row:04d}" for row in range(600)]
    rows = np.flatnonzero(merger), np.flatnonzero(~merger)
    return Planted(values.astype(np.float16).astype(np.float32), ids, *rows, logits.astype(np.float32))


@pytest.fixture
def on_disk(planted: Planted, tmp_path: Path) -> Path:
    """The same in shards of 170 as `embed` writes them."""
    folder = tmp_path / "embeddings"
    writer = StoreWriter(folder)
    for start in range(0, 600, 170):
        part = slice(start, start + 170)
        writer.add(planted.ids[part], planted.values[part], planted.logits[part])
    writer.close()
    assert json.loads((folder / "meta.json").read_text())["total"] == 600
    return folder

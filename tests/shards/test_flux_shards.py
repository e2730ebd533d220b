"""Shards of flux read back: a shard whole, galaxies by id, epochs of batches."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from mergerscope.errors import ContractError
from mergerscope.shards.loader import training_loader
from mergerscope.shards.manifest import Manifest, ShardEntry, shard_name
from mergerscope.shards.reader import read_images, read_shard
from mergerscope.shards.sample import encode_sample, tar_tail

SHAPE = (4, 6, 6)


@pytest.fixture
def flux(tmp_path: Path) -> tuple[Manifest, dict[str, np.ndarray]]:
    """Three shards of eight galaxies in four bands."""
    rng = np.random.default_rng(0)
    images = {f"g{i:02d}": rng.normal(size=SHAPE).astype(np.float32) for i in range(24)}
    entries = []
    for number in range(3):
        data = b"".join(encode_sample(key, images[key], {}) for key in list(images)[8 * number : 8 * number + 8])
        data += tar_tail(len(data))
        (tmp_path / shard_name(number)).write_bytes(data)
        entries.append(ShardEntry(shard_name(number), 8, hashlib.sha256(data).hexdigest()))
    return Manifest(SHAPE, "float32", ("g", "r", "i", "z"), 1.0, 24, tuple(entries), (), "nanomaggy"), images


def test_read(flux: tuple[Manifest, dict[str, np.ndarray]], tmp_path: Path) -> None:
    manifest, images = flux
    shard = read_shard(tmp_path, shard_name(1))
    assert shard.images.dtype == np.float32
    np.testing.assert_array_equal(shard.images, [images[key] for key in shard.ids])
    wanted = ["g23", "g00", "g09"]
    np.testing.assert_array_equal(read_images(tmp_path, manifest, wanted), [images[key] for key in wanted])
    assert read_images(tmp_path, manifest, []).dtype == np.float32


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch(flux: tuple[Manifest, dict[str, np.ndarray]], tmp_path: Path, workers: int) -> None:
    manifest, images = flux
    seen = []
    for ids, batch in training_loader(tmp_path, manifest, batch_size=6, seed=1, epoch=0, workers=workers):
        assert batch.dtype == torch.float32
        np.testing.assert_array_equal(batch, [images[key] for key in ids])
        seen += ids
    assert sorted(seen) == sorted(images)


def test_a_manifest_of_pictures_does_not_fit(flux: tuple[Manifest, dict[str, np.ndarray]], tmp_path: Path) -> None:
    manifest, _ = flux
    wrong = Manifest(SHAPE, "uint8", manifest.bands, 1.0, 24, manifest.shards, ())
    with pytest.raises(ContractError, match=r"g00 is no uint8 array of shape \[4, 6, 6\]"):
        read_images(tmp_path, wrong, ["g00"])

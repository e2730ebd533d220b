"""A small packed survey, settings that train in a second, and a trunk small enough to look into."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from mergerscope.learn.encoder import Encoder, EncoderConfig, build_encoder
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.shards.index import shard_index
from mergerscope.shards.manifest import Manifest

SIDE = 32


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Networks this small are quicker on one core, the more so on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def settings(made: ModuleType) -> Callable[..., Params]:
    """Small settings; blocks given by name are merged into them."""

    def settings(**blocks):
        tree = {
            "shard": {"per_shard": 16},
            "encoder": {"width": 0.125, "embedding_dim": 16},
            "train": {"epochs": 2, "batch_size": 16, "workers": 0, "precision": "32", "device": "cpu"},
            "embed": {"views": 1, "device": "cpu"},
        }
        for block, values in blocks.items():
            tree[block] = tree.get(block, {}) | values
        return made.made_params(**tree)

    return settings


@pytest.fixture(scope="session")
def small(made: ModuleType, settings: Callable[..., Params], tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Catalogue and shards of 60 galaxies of 32 px, 20 of them known mergers, and two refused rows. Only to be read."""
    return made.make_shards(tmp_path_factory.mktemp("small"), settings(), galaxies=60, mergers=20)


@pytest.fixture(scope="session")
def make_encoder() -> Callable[..., Encoder]:
    """An untrained encoder for 32 px images."""

    def make(pooling="stages", dim=16, depth=18, pairs_head=True, seed=1):
        return build_encoder(EncoderConfig(depth, 0.125, dim, pooling, 3, SIDE, pairs_head), seed)

    return make


@pytest.fixture
def poison(small: Paths, tmp_path: Path) -> Callable[[list[str]], Path]:
    """Copy the shards of `small` with noise in place of some galaxies, whose ids are given."""

    def poison(ids):
        folder = tmp_path / "poisoned"
        shutil.copytree(small.shards, folder)
        rng = np.random.default_rng(0)
        left = set(ids)
        for shard in Manifest.load(small.manifest).shards:
            index = shard_index(folder / shard.name)
            data = bytearray((folder / shard.name).read_bytes())
            for name, (start, stop) in zip(index.ids, index.spans, strict=True):
                if name in left:
                    left.remove(name)
                    stream = io.BytesIO()
                    np.save(stream, rng.integers(0, 256, (3, SIDE, SIDE), np.uint8))
                    data[start:stop] = stream.getvalue()
            (folder / shard.name).write_bytes(data)
        assert not left
        return folder

    return poison


@pytest.fixture
def images() -> torch.Tensor:
    """Six pictures of noise, float in 0...1."""
    return torch.rand(6, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def blobs(count, side, sigma, x=0.0, y=0.0, colour=(1.0, 1.0, 1.0), peak=0.8):
    """(count, 3, side, side): a round Gaussian at (x, y), lengths in half fields, on black sky."""
    at = (2 * torch.arange(side) + 1) / side - 1
    d2 = (at[None, :] - x) ** 2 + (at[:, None] - y) ** 2
    light = peak * torch.exp(-d2 / (2 * sigma**2))
    return (light * torch.tensor(colour)[:, None, None]).repeat(count, 1, 1, 1)


@pytest.fixture(scope="session")
def draw_blobs() -> Callable[..., torch.Tensor]:
    return blobs

from __future__ import annotations

from types import ModuleType

import pytest

from mergerscope.params import Params
from mergerscope.paths import Paths


@pytest.fixture(scope="session")
def params(made: ModuleType) -> Params:
    return made.made_params(shard={"per_shard": 7, "max_refused": 0.2})  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def packed_once(made: ModuleType, params: Params, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    loose = made.made_params(shard={"per_shard": 7})
    return made.make_shards(tmp_path_factory.mktemp("packed"), loose, galaxies=30, mergers=6)  # type: ignore[no-any-return]


@pytest.fixture
def packed(packed_once: Paths, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Thirty galaxies in shards of seven; each test has a folder of its own for what it imports."""
    root = tmp_path_factory.mktemp("project")
    (root / "shards").symlink_to(packed_once.shards, target_is_directory=True)
    return Paths(root)

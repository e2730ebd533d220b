"""E(B-V) of the galaxies in the shards, where the survey tells it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mergerscope.shards.index import map_shard, shard_index
from mergerscope.shards.manifest import Manifest

__all__ = ["EBV", "read_ebv"]

EBV = "ebv"
"""Name in a sample's meta data."""
SIZE_FIELD = slice(124, 135)
"""Of a tar header."""


def read_ebv(shards_dir: Path, manifest: Manifest) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.float32]]:
    """Return the ids (N,), sorted, of the galaxies whose E(B-V) is told, and E(B-V) (N,) in magnitudes.

    Raises:
        MissingInputError: a shard is not there.
        ContractError: a file is no shard.
    """
    ids: list[str] = []
    values: list[float] = []
    for entry in manifest.shards:
        path = shards_dir / entry.name
        data, index = map_shard(path), shard_index(path)
        at = 0  # of the header of a sample's meta data, which lie before its image
        for name, (_, stop) in zip(index.ids, index.spans, strict=True):
            size = int(data[at : at + tarfile.BLOCKSIZE][SIZE_FIELD].tobytes(), 8)
            meta = json.loads(data[at + tarfile.BLOCKSIZE : at + tarfile.BLOCKSIZE + size].tobytes())
            if meta.get(EBV) is not None:
                ids.append(name)
                values.append(meta[EBV])
            at = -(-stop // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    order = np.argsort(ids)
    return np.array(ids, np.str_)[order], np.array(values, np.float32)[order]

"""Where each member lies in a shard: for reading a whole shard at once, or single galaxies out of any.

webdataset streams; this is for random access. Only the plain tars that `mergerscope.shards.writer` makes are read.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.shards.sample import IMAGE_SUFFIX

__all__ = ["ShardIndex", "first_id", "map_shard", "shard_index"]

Bytes = npt.NDArray[np.uint8]

BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """The images of one shard, in its order."""

    ids: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    """First and behind-last byte of each ``.npy``."""


def map_shard(path: Path) -> Bytes:
    """Return the file as bytes mapped into memory, read only.

    Raises:
        MissingInputError: no such file.
        ContractError: it is empty.
    """
    if not path.is_file():
        raise MissingInputError(path, made_by="shard")
    if not path.stat().st_size:
        raise ContractError(f"{path} is empty. Run `mergerscope shard` again.")
    return np.memmap(path, np.uint8, mode="r")


def shard_index(path: Path) -> ShardIndex:
    """Return the index of a shard; kept until the file changes.

    Raises:
        MissingInputError: no such file.
        ContractError: it is no such tar, or is cut short.
    """
    if not path.is_file():
        raise MissingInputError(path, made_by="shard")
    status = path.stat()
    return _index(path, status.st_mtime_ns, status.st_size)


def first_id(path: Path) -> str:
    """Return the first id of a shard, reading no more than that takes."""
    return next(_images(map_shard(path), path))[0]


# A thousand galaxies take some 200 kB here, so this holds an index of a million.
@lru_cache(maxsize=1024)
def _index(path: Path, _mtime_ns: int, _size: int) -> ShardIndex:
    found = list(_images(map_shard(path), path))
    return ShardIndex(tuple(key for key, _, _ in found), tuple((start, stop) for _, start, stop in found))


def _images(data: Bytes, path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield id, start and stop of each image, in order."""
    at = 0
    while at + BLOCK <= len(data) and data[at]:
        name, size = _header(data[at : at + BLOCK].tobytes(), path, at)
        start, at = at + BLOCK, at + BLOCK + -(-size // BLOCK) * BLOCK
        if name.endswith(IMAGE_SUFFIX):
            yield name.removesuffix(IMAGE_SUFFIX), start, start + size
    if at + BLOCK > len(data):
        raise ContractError(f"{path} is cut short after {len(data)} bytes. Run `mergerscope shard` again.")


def _header(block: bytes, path: Path, at: int) -> tuple[str, int]:
    # Some six times as fast as tarfile, which would take minutes over the thousands of shards of a large survey.
    try:
        if block[257:262] == b"ustar" and block[156:157] == tarfile.REGTYPE:
            return block[:100].rstrip(b"\0").decode("ascii"), int(block[124:135], 8)
    except ValueError:
        pass
    raise ContractError(f"{path} has no plain tar header at byte {at}. Run `mergerscope shard` again.")

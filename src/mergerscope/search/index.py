"""An approximate index of unit vectors. The one file that knows faiss, which it imports only when it is needed.

faiss and torch each bring an OpenMP runtime. On Linux both work in one process, whichever comes first, and a test
holds that; where a system refuses the second one, search without an index.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np

from mergerscope.errors import ContractError
from mergerscope.files import replacing

__all__ = ["KINDS", "Index"]

Array = np.ndarray[Any, Any]

KINDS = ("ivf", "hnsw")

TRAINED_PER_LIST = 64
"""Vectors by which each list of an IVF index is placed; below 39 faiss itself complains."""

NEIGHBOURS = 32
BUILD_EFFORT = 80
"""Links of a vector in an HNSW graph, and candidates looked at to find them (Malkov and Yashunin 2016, 1603.09320)."""

HNSW_EFFORTS = (16, 32, 64, 128, 256, 512, 1024)


class Index:
    """Vectors kept as float16, numbered in the order in which they came, by inner product.

    ``ivf`` (Jegou et al. 2011) divides them into about 4 sqrt(N) lists and looks into some; it is quick to build.
    ``hnsw`` walks a graph; it is quicker to search, much slower to build, and larger.
    """

    def __init__(self, kind: str, index: Any) -> None:
        self.kind = kind
        self._index = index

    @classmethod
    def build(cls, kind: str, sample: Array, blocks: Iterable[Array], count: int) -> Self:
        """Build an index.

        Args:
            kind: one of `KINDS`.
            sample: (n, A) float32, some of the vectors: `sample_size` of them.
            blocks: all vectors, (b, A) float32 each.
            count: of all vectors.

        Raises:
            ContractError: there is no such kind.
        """
        faiss = _faiss()
        if kind not in KINDS:
            raise ContractError(f"there is no index {kind!r}; known are {', '.join(KINDS)}.")
        layout = f"IVF{_lists(count)},SQfp16" if kind == "ivf" else f"HNSW{NEIGHBOURS},SQfp16"
        index = faiss.index_factory(sample.shape[1], layout, faiss.METRIC_INNER_PRODUCT)
        if kind == "hnsw":
            index.hnsw.efConstruction = BUILD_EFFORT
        index.train(np.ascontiguousarray(sample, dtype=np.float32))
        for block in blocks:
            index.add(np.ascontiguousarray(block, dtype=np.float32))
        return cls(kind, index)

    @classmethod
    def load(cls, kind: str, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ContractError: it cannot be read.
        """
        try:
            return cls(kind, _faiss().read_index(str(path)))
        except RuntimeError as error:
            raise ContractError(f"{path} is no index ({str(error).splitlines()[-1]}). Delete it.") from None

    def save(self, path: Path) -> None:
        """Write the index, whole or not at all."""
        with replacing(path) as fresh:
            _faiss().write_index(self._index, str(fresh))

    @property
    def count(self) -> int:
        """Vectors in it."""
        return int(self._index.ntotal)

    @property
    def efforts(self) -> tuple[int, ...]:
        """How hard it can search, rising: lists looked into, or candidates kept. All lists are an exact search."""
        if self.kind == "hnsw":
            return HNSW_EFFORTS
        lists = int(self._index.nlist)
        return (*(2**power for power in range(math.ceil(math.log2(lists)))), lists)

    def search(self, units: Array, count: int, effort: int) -> Array:
        """Return the numbers (Q, count) of the vectors nearest to each of (Q, A), nearest first; -1 where none is."""
        faiss = _faiss()
        if self.kind == "ivf":
            settings = faiss.SearchParametersIVF(nprobe=effort)
        else:
            settings = faiss.SearchParametersHNSW(efSearch=max(effort, count))
        _, numbers = self._index.search(np.ascontiguousarray(units, dtype=np.float32), count, params=settings)
        return np.asarray(numbers)

    @staticmethod
    def sample_size(kind: str, count: int) -> int:
        """Return how many of ``count`` vectors `build` wants as its sample."""
        return min(count, TRAINED_PER_LIST * _lists(count)) if kind == "ivf" else min(count, TRAINED_PER_LIST)


def _lists(count: int) -> int:
    return max(1, min(round(4 * math.sqrt(count)), count // TRAINED_PER_LIST))


def _faiss() -> Any:
    """Return the library; what it says of its own types leaves out much of what it has."""
    import faiss

    return faiss

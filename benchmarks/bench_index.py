"""Indexes of embeddings against the exact search: ``python -m benchmarks.bench_index [--rows N] [--dim D]``.

Embeddings around a few thousand centres, as a learnt representation has them, on disk as `embed` leaves them. Both
searches answer one query at a time from the opened store, and so does each user: the exact one passes over all
embeddings, the index looks into some and computes the likeness of what it proposes. Recall is that of the list which
a user gets: the share of the exact 100 nearest in it. What it takes to build an index is told in exact searches.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mergerscope.search.alike import Queries, most_alike
from mergerscope.search.index import KINDS
from mergerscope.search.indexed import open_index
from mergerscope.search.moments import pool_moments
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write_store import StoreWriter

ROWS, DIM, CENTRES, SHARD = 100_000, 128, 2000, 20_000
QUERIES, NEAREST = 40, 100
RECALL_LIMIT = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description="indexes against the exact search")
    parser.add_argument("--rows", type=int, default=ROWS, help="embeddings")
    parser.add_argument("--dim", type=int, default=DIM, help="numbers of each")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        embeddings = Path(name) / "embeddings"
        write_embeddings(embeddings, asked.rows, asked.dim)
        store = EmbeddingStore.open(embeddings)
        picked = np.random.default_rng(1).choice(store.size, QUERIES, replace=False)
        queries = [Queries.of(pool_moments(store), store.rows([row]), [0]) for row in picked]
        exact, slow = answers(queries, lambda query: most_alike(store, query, NEAREST).rows)
        for kind in KINDS:
            start = time.perf_counter()
            index = open_index(store, embeddings, Path(name) / "index", kind)
            built = time.perf_counter() - start
            found, quick = answers(queries, lambda query: index.most_alike(store, query, NEAREST).rows)  # noqa: B023
            recall = float(np.mean([np.isin(a, b).mean() for a, b in zip(exact, found, strict=True)]))
            what = f"{asked.rows} x {asked.dim} float16"
            print(f"index_{kind}_build {built / slow:.0f} exact searches long: building and measuring ({what})")
            print(f"index_{kind}_query {slow / quick:.1f} times as fast as the exact search of one galaxy ({what})")
            print(f"index_{kind}_recall {recall:.3f} of the exact {NEAREST} nearest galaxies ({QUERIES} queries, "
                  f"{what}; at least {RECALL_LIMIT:g}; it tells {index.recall:.3f} itself)")


def write_embeddings(folder: Path, rows: int, dim: int) -> None:
    draw = np.random.default_rng(0)
    centres = draw.standard_normal((CENTRES, dim), dtype=np.float32)
    writer = StoreWriter(folder)
    for start in range(0, rows, SHARD):
        count = min(SHARD, rows - start)
        values = centres[draw.integers(CENTRES, size=count)] + draw.standard_normal((count, dim), dtype=np.float32)
        writer.add([f"{row:08d}" for row in range(start, start + count)], values)
    writer.close()


def answers(queries: list[Queries], search: Callable[[Queries], np.ndarray]) -> tuple[list[np.ndarray], float]:
    """Return what each query finds, and the median of the seconds that one takes."""
    found, took = [], []
    for query in queries:
        start = time.perf_counter()
        found.append(search(query))
        took.append(time.perf_counter() - start)
    return found, statistics.median(took)


if __name__ == "__main__":
    main()

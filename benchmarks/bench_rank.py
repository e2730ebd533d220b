"""`mean_cosine` on a million embeddings on disk: ``python -m benchmarks.bench_rank [--rows N]``.

Against one plain sequential read of the file, which bounds what any ranking can reach, and against the matrix of all
pairs, which is what equation (2) says when written down. Both peers get the file from the page cache, as the ranking
does: from a disk, all three would wait for it alike. Repeats of reading and ranking take turns, and the median of
their ratios is printed. All pairs are timed on a slice and scaled. Memory is that of a process of its own which does
nothing but rank; most of it is torch.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mergerscope.params import RankParams
from mergerscope.search.rankers import score
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write_store import StoreWriter

ROWS, DIM, REFERENCES = 1_000_000, 512, 681
SLICE = 20_000
REPEATS = 9
READ_BUFFER = 1 << 20
READ_LIMIT, PAIRS_LIMIT, MEMORY_LIMIT_GB, ERROR_LIMIT = 4.0, 100.0, 1.0, 1e-5


def main() -> None:
    parser = argparse.ArgumentParser(description="mean_cosine against a plain read and against all pairs")
    parser.add_argument("--rows", type=int, default=ROWS, help="embeddings to rank")
    parser.add_argument("--rank-only", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.rank_only:
        rank_alone(asked.rank_only)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = write_embeddings(folder, asked.rows)
        store = EmbeddingStore.open(folder)
        references = some_references(store.size)
        ratios, ranked, reads = [], [], []
        for repeat in range(REPEATS + 1):
            read = seconds(lambda: plain_read(file))
            rank = seconds(lambda: rank_by_mean_cosine(store, references))
            print(f"  {'warming up: ' * (not repeat)}read {read:.3f} s, rank {rank:.3f} s", file=sys.stderr)
            ratios.append(rank / read)
            ranked.append(rank)
            reads.append(read)
        part = min(SLICE, store.size)
        pairs, error = all_pairs(store, references, part)
        peak = peak_memory(folder)
    what = f"{asked.rows} x {DIM} float16 against {REFERENCES} references"
    print(f"rank_read {statistics.median(ratios[1:]):.2f} times mean_cosine against one sequential read of the file "
          f"({what}; at most {READ_LIMIT:g})")
    scaled = pairs * asked.rows / part
    print(f"rank_pairs {scaled / statistics.median(ranked[1:]):.0f} times as fast: mean_cosine against the all-pairs "
          f"matrix in float32 (timed on {part} rows and scaled; at least {PAIRS_LIMIT:g}, where even the plain read "
          f"of the file is {scaled / statistics.median(reads[1:]):.0f} times as fast)")
    print(f"rank_memory {peak:.2f} GB peak of a process that ranks by mean_cosine ({what}; below {MEMORY_LIMIT_GB:g})")
    print(f"rank_error {error:.1e} largest difference of mean_cosine from the mean over all pairs in float64 "
          f"({part} rows; at most {ERROR_LIMIT:g})")


def write_embeddings(folder: Path, rows: int) -> Path:
    """Write one shard, a part at a time, and return its file."""
    generator = np.random.default_rng(0)
    writer = StoreWriter(folder)
    writer.add([f"{row:08d}" for row in range(rows)], np.zeros((rows, DIM), np.float16))
    writer.close()
    file = folder / "shard-000000.npy"
    values = np.lib.format.open_memmap(file, mode="r+")
    for start in range(0, rows, 50_000):
        part = values[start : start + 50_000]
        part[:] = generator.standard_normal(part.shape, dtype=np.float32) + 1
    values.flush()
    return file


def some_references(size: int) -> np.ndarray:
    return np.sort(np.random.default_rng(1).choice(size, min(REFERENCES, size), replace=False))


def rank_by_mean_cosine(store: EmbeddingStore, references: np.ndarray) -> np.ndarray:
    return score("mean_cosine", store, references, RankParams())


def rank_alone(folder: Path) -> None:
    store = EmbeddingStore.open(folder)
    rank_by_mean_cosine(store, some_references(store.size))
    status = Path("/proc/self/status").read_text()
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def peak_memory(folder: Path) -> float:
    """Return the peak resident memory, in GB, of a process that ranks; its first pages are not this one's."""
    command = [sys.executable, "-m", "benchmarks.bench_rank", "--rank-only", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024 / 1e9


def plain_read(file: Path) -> None:
    buffer = bytearray(READ_BUFFER)
    handle = os.open(file, os.O_RDONLY)
    try:
        while os.readv(handle, [buffer]):
            pass
    finally:
        os.close(handle)


def all_pairs(store: EmbeddingStore, references: np.ndarray, rows: int) -> tuple[float, float]:
    """Return the seconds that the matrix of all pairs takes for ``rows`` rows, and how far mean_cosine is from it."""
    half = store.rows(np.arange(rows)).astype(np.float16)
    known = unit(store.rows(references))

    def mean_of_all_pairs() -> np.ndarray:
        return (unit(half.astype(np.float32)) @ known.T).mean(axis=1)

    mean_of_all_pairs()
    took = statistics.median(seconds(mean_of_all_pairs) for _ in range(3))
    exact = (unit(half.astype(np.float64)) @ unit(store.rows(references).astype(np.float64)).T).mean(axis=1)
    return took, float(np.abs(rank_by_mean_cosine(store, references)[:rows] - exact).max())


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def seconds(work: object) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

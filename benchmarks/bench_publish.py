"""The ranked list of a million galaxies in every format: ``python -m benchmarks.bench_publish [--rows N]``.

Each writer gets the same chunks, made again and again so that they are never all in memory, and is timed against a
plain write of as many bytes as its file has. Memory is what the process has grown by over all of it.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from mergerscope.publish.arrow_files import CsvWriter, ParquetWriter
from mergerscope.publish.candidates import CHUNK
from mergerscope.publish.columns import Column, arrow_schema, candidate_columns
from mergerscope.publish.fits_table import FitsWriter
from mergerscope.publish.links import legacy_viewer, sdss
from mergerscope.publish.votable import VOTableWriter

ROWS = 1_000_000
MEMORY_LIMIT_GB = 0.5
COLUMNS = candidate_columns(10, ["p_merger"])
Writer = ParquetWriter | CsvWriter | FitsWriter | VOTableWriter


def main() -> None:
    parser = argparse.ArgumentParser(description="every format of the ranked list")
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    writers: dict[str, Callable[[Path], Writer]] = {
        "parquet": lambda path: ParquetWriter(path, COLUMNS, "bench"),
        "csv": lambda path: CsvWriter(path, COLUMNS),
        "fits": lambda path: FitsWriter(path, COLUMNS, rows, "bench"),
        "votable": lambda path: VOTableWriter(path, COLUMNS, rows, "bench"),
    }
    with tempfile.TemporaryDirectory() as folder:
        # what is made once and kept, such as the allocators' pools, is no matter of the number of rows
        before = [_write(make, Path(folder) / name, CHUNK) for name, make in writers.items() if name != "fits"]
        start = _memory_gb()
        print(f"  before: {start:.2f} GB after {len(before)} small files", file=sys.stderr)
        for name, make in writers.items():
            path = Path(folder) / name
            took = _write(make, path, rows)
            size = path.stat().st_size
            plain = _plain(Path(folder) / "plain", size)
            print(f"  {name}: {took:.2f} s, {size / 1e6:.0f} MB, written plainly in {plain:.2f} s", file=sys.stderr)
            print(f"publish_{name} {took / plain:.2f} times {rows} rows against as many plain bytes", flush=True)
            path.unlink()
        peak = _memory_gb() - start
    print(f"publish_memory {peak:.3f} GB that the process grows by while it writes them (limit {MEMORY_LIMIT_GB:g})")
    if peak > MEMORY_LIMIT_GB:
        sys.exit("the writers hold too much")


def _write(make: Callable[[Path], Writer], path: Path, rows: int) -> float:
    took = 0.0
    with make(path) as writer:
        for chunk in _chunks(rows):
            start = time.perf_counter()
            writer.add(chunk)
            took += time.perf_counter() - start
        start = time.perf_counter()
    return took + time.perf_counter() - start


def _chunks(rows: int) -> Iterator[pa.Table]:
    random = np.random.default_rng(1)
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        ra, dec = random.uniform(0, 360, count), np.degrees(np.arcsin(random.uniform(-1, 1, count)))
        yield pa.table([_column(column, start, ra, dec, random) for column in COLUMNS], schema=arrow_schema(COLUMNS))


def _column(column: Column, start: int, ra: np.ndarray, dec: np.ndarray, random: np.random.Generator) -> pa.Array:
    made: dict[str, Callable[[], pa.Array]] = {
        "ra_deg": lambda: pa.array(ra), "dec_deg": lambda: pa.array(dec),
        "rank": lambda: pa.array(np.arange(start + 1, start + 1 + len(ra))),
        "legacy_viewer": lambda: legacy_viewer(ra, dec), "sdss": lambda: sdss(ra, dec),
        "duplicate_of": lambda: pa.nulls(len(ra), pa.string()),
    }  # fmt: skip
    if column.name in made:
        return made[column.name]()
    if column.kind == "text":
        return pa.array([f"g{number:09d}" for number in random.integers(0, 10**9, len(ra))])
    return pa.array(random.uniform(0, 1, len(ra)).astype(np.float32 if column.kind == "real" else np.float64))


def _plain(path: Path, size: int) -> float:
    block = np.random.default_rng(2).bytes(1 << 20)
    start = time.perf_counter()
    with path.open("wb") as file:
        for done in range(0, size, len(block)):
            file.write(block[: size - done])
    return time.perf_counter() - start


def _memory_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()

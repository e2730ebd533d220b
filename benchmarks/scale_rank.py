"""Every ranker on millions of embeddings: ``python -m benchmarks.scale_rank [--galaxies N] [--rankers ...]``.

``python -m benchmarks`` ends with it, at a million and at 3.5 million, which take 3.6 GB of disk. The embeddings are
made up, with a falling spectrum, a common mean, and 1% mergers of eight kinds that lie a little apart; some of them are
references. Each ranker runs in a process of its own, which opens the store, scores, and orders; its peak memory is the
process's. In the same process, in turn with the scoring, all files are read once from the first to the last byte: the
ratio of both is printed, with the file in the page cache for both. ``mean_cosine`` repeats that and gives the median.
The first 10,000 of a slice are compared with those of a ranking in float64 that is written down as plainly as can be.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from benchmarks.bench_rank import plain_read, seconds
from benchmarks.brute_force import BRUTE, disagreement

from mergerscope.params import RankParams
from mergerscope.search.rankers import RANKERS, score
from mergerscope.search.shortlist import rank_order
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write_store import StoreWriter

GALAXIES, DIM, PER_SHARD, REFERENCES = 3_500_000, 512, 10_000, 681
MERGERS, KINDS = 0.01, 8
SLICE, TOP = 50_000, 10_000
REPEATS = 5
READ_LIMIT, MEMORY_LIMIT_GB = 4.0, 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description="every ranker on millions of embeddings")
    parser.add_argument("--galaxies", type=int, default=GALAXIES)
    parser.add_argument("--rankers", nargs="+", default=list(RANKERS), choices=list(RANKERS))
    parser.add_argument("--folder", type=Path, help="keep the embeddings there, and take those that are there")
    parser.add_argument("--alone", choices=list(RANKERS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        print(json.dumps(measure(asked.folder, asked.alone)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = asked.folder or Path(name)
        if not (folder / "meta.json").is_file():
            write_embeddings(folder, asked.galaxies)
        for ranker in asked.rankers:
            report(ranker, in_a_process_of_its_own(folder, ranker))
        if set(asked.rankers) & set(BRUTE):
            compare(folder, asked.rankers)


def write_embeddings(folder: Path, galaxies: int) -> None:
    """Write shards of `PER_SHARD` galaxies, and which of them are mergers beside."""
    generator = np.random.default_rng(0)
    spectrum = np.geomspace(3, 0.3, DIM, dtype=np.float32)
    kinds = generator.standard_normal((KINDS, DIM), np.float32) * 0.4
    writer = StoreWriter(folder)
    mergers = []
    for start in range(0, galaxies, PER_SHARD):
        rows = np.arange(start, min(galaxies, start + PER_SHARD))
        values = generator.standard_normal((len(rows), DIM), np.float32) * spectrum
        is_merger = generator.random(len(rows)) < MERGERS
        values += 1
        values[is_merger] += kinds[generator.integers(KINDS, size=is_merger.sum())]
        logits = 1.5 * is_merger + generator.standard_normal(len(rows), np.float32)
        writer.add([f"ls{row:015d}" for row in rows], values, logits)
        mergers.append(rows[is_merger])
    np.save(folder / "mergers.npy", np.concatenate(mergers))
    writer.close()


def some_references(folder: Path) -> np.ndarray:
    mergers = np.load(folder / "mergers.npy")
    return np.sort(np.random.default_rng(1).choice(mergers, min(REFERENCES, len(mergers) // 2), replace=False))


def in_a_process_of_its_own(folder: Path, ranker: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.scale_rank", "--folder", str(folder), "--alone", ranker]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def measure(folder: Path, ranker: str) -> dict[str, float]:
    files = sorted(path for path in folder.glob("shard-*.npy") if not path.name.endswith(".pairs.npy"))
    references = some_references(folder)
    stores, orders, ratios, scored, reads, busy = [], [], [], [], [], []
    opened = seconds(lambda: stores.append(EmbeddingStore.open(folder)))
    for _ in range(REPEATS if ranker == "mean_cosine" else 1):
        reads.append(seconds(lambda: [plain_read(file) for file in files]))
        scores: list[np.ndarray] = []
        started = time.process_time()
        scored.append(seconds(lambda into=scores: into.append(score(ranker, stores[0], references, RankParams()))))
        busy.append(time.process_time() - started)
        ratios.append(scored[-1] / reads[-1])
    ordered = seconds(lambda: orders.append(rank_order(scores[0], stores[0].names)))
    hidden = np.setdiff1d(np.load(folder / "mergers.npy"), references)
    best = np.setdiff1d(orders[0][: TOP + len(references)], references, assume_unique=True)
    return {
        "galaxies": stores[0].size, "references": len(references), "open_s": opened, "order_s": ordered,
        "read_s": statistics.median(reads), "score_s": statistics.median(scored), "ratio": statistics.median(ratios),
        "cpu_s": statistics.median(busy), "merger_share": float(np.isin(best, hidden).mean()), "peak_gb": peak_gb(),
        "load": os.getloadavg()[0],
    }  # fmt: skip


def peak_gb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024 / 1e9


def report(ranker: str, found: dict[str, float]) -> None:
    galaxies = int(found["galaxies"])
    names = ("score_s", "cpu_s", "open_s", "order_s")
    score, cpu, opening, order = (found[name] / galaxies * 1e6 for name in names)
    limit = f"; at most {READ_LIMIT:g}" if ranker == "mean_cosine" else ""
    print(
        f"scale_rank_{ranker} {found['ratio']:.2f} times one sequential read of the files ({galaxies} x {DIM} float16 "
        f"against {int(found['references'])} references{limit}); {found['peak_gb']:.2f} GB peak (below "
        f"{MEMORY_LIMIT_GB:g}); a million take {score:.2f} s to score ({cpu:.2f} s of all cores), {opening:.2f} s to "
        f"open and {order:.2f} s to order, at load {found['load']:.1f}; hidden mergers are "
        f"{found['merger_share']:.0%} of the best {TOP}, {MERGERS:.0%} of all", flush=True,
    )  # fmt: skip


def compare(folder: Path, rankers: list[str]) -> None:
    store = EmbeddingStore.open(folder)
    part = store.subset(np.arange(min(SLICE, store.size)))
    references = np.flatnonzero(np.isin(np.arange(part.size), np.load(folder / "mergers.npy")))[:REFERENCES]
    values = part.rows(np.arange(part.size)).astype(np.float64)
    for ranker in [name for name in rankers if name in BRUTE]:
        found = score(ranker, part, references, RankParams())
        exact = BRUTE[ranker](part, values, references)
        apart, wrong = disagreement(found, exact, part.ids, min(TOP, part.size // 5))
        print(f"scale_exact_{ranker} {wrong} of the best {min(TOP, part.size // 5)} of {part.size} are others than by "
              f"brute force in float64; scores differ by at most {apart:.1e} of their spread", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

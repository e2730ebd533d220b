"""The whole verb ``rank`` on millions: ``python -m benchmarks.scale_verb [--galaxies N] [--rankers ...]``.

Not part of ``python -m benchmarks``: with 3.5 million galaxies a list takes 5 GB of disk and minutes. It makes a
project around the embeddings of `benchmarks.scale_rank`, with a catalogue of as many galaxies on a part of the sky, of
which one in 500 stands there twice, and runs the verb as a user does, in a process of its own. Told are the peak
memory of that process, its time, and a digest of all that it wrote, by which two versions of the code are compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from benchmarks.scale_rank import GALAXIES, MEMORY_LIMIT_GB, peak_gb, some_references, write_embeddings

from mergerscope.cli import cli
from mergerscope.paths import Paths
from mergerscope.search.rankers import RANKERS
from mergerscope.survey.catalog_file import METADATA_KEY, write_catalog
from mergerscope.tracking.receipt import Receipt
from mergerscope.tracking.store import ALIAS, MODEL_NAME, experiment_id, initialise

WEIGHTS = "0" * 64
TWICE = 500
VOTES = ("p_merger", "p_spiral", "p_edge_on")
JUDGED = 0.07


def main() -> None:
    parser = argparse.ArgumentParser(description="the whole verb on millions")
    parser.add_argument("--galaxies", type=int, default=GALAXIES)
    parser.add_argument("--rankers", nargs="+", default=["mean_cosine", "centred"], choices=list(RANKERS))
    parser.add_argument("--folder", type=Path, help="keep the embeddings there, and take those that are there")
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        print(json.dumps(measure(asked.alone)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder, paths = asked.folder or Path(name) / "embeddings", Paths(Path(name) / "project")
        if not (folder / "meta.json").is_file():
            write_embeddings(folder, asked.galaxies)
        galaxies = make_project(folder, paths)
        for ranker in asked.rankers:
            report(ranker, galaxies, paths)


def make_project(folder: Path, paths: Paths) -> int:
    """Make a project as `embed` leaves it around the embeddings in ``folder``; return the number of galaxies."""
    meta = json.loads((folder / "meta.json").read_text())
    paths.embeddings.mkdir(parents=True)
    for file in folder.iterdir():
        if file.name not in ("meta.json", "mergers.npy"):
            (paths.embeddings / file.name).symlink_to(file.absolute())
    model = {"model": {"name": MODEL_NAME, "weights_sha256": WEIGHTS}, "views": 8}
    (paths.embeddings / "meta.json").write_text(json.dumps(meta | model))
    write_catalog(catalogue(meta["total"], some_references(folder)), paths.catalog)
    make_champion(paths)
    return int(meta["total"])


def catalogue(galaxies: int, references: np.ndarray) -> pa.Table:
    generator = np.random.default_rng(2)
    ra, dec = generator.uniform(120, 240, galaxies), np.degrees(np.arcsin(generator.uniform(0, 0.5, galaxies)))
    again = np.arange(TWICE, galaxies, TWICE)
    ra[again], dec[again] = ra[again - 1], dec[again - 1]
    digests = generator.bytes(16 * galaxies).hex()
    is_known = np.isin(np.arange(galaxies), references)
    judged = (generator.random(galaxies) < JUDGED) | is_known
    vote = np.where(is_known, 0.9, 0.1)
    shares = [vote, *(generator.random((len(VOTES) - 1, galaxies)))]
    about = {"vote_columns": VOTES, "target": {"column": VOTES[0], "threshold": 0.5}, "survey_format": "table"}
    return pa.table({
        "id": [f"ls{row:015d}" for row in range(galaxies)],
        "image": [f"images/ls{row:015d}.jpg" for row in range(galaxies)],
        "ra_deg": ra, "dec_deg": dec,
        "pixel_digest": [digests[start : start + 32] for start in range(0, len(digests), 32)],
        "vote": pa.array(vote, mask=~judged), "known_merger": is_known, "judged": judged,
        "role": np.where(is_known, "reference", "pool"),
        **{name: pa.array(share, mask=~judged) for name, share in zip(VOTES, shares, strict=True)},
    }).replace_schema_metadata({METADATA_KEY: json.dumps(about)})  # fmt: skip


def make_champion(paths: Paths) -> None:
    client = initialise(paths)
    run = client.create_run(experiment_id(client))
    client.create_registered_model(MODEL_NAME)
    version = client.create_model_version(MODEL_NAME, run.info.artifact_uri, run.info.run_id)
    client.set_registered_model_alias(MODEL_NAME, ALIAS, version.version)
    Receipt(MODEL_NAME, ALIAS, WEIGHTS, "0" * 64, 512, [3, 64, 64], None).save(paths.champion)


def report(ranker: str, galaxies: int, paths: Paths) -> None:
    paths.params.write_text(f"rank: {{ranker: {ranker}}}\ntarget: {{column: {VOTES[0]}}}\n")
    command = [sys.executable, "-m", "benchmarks.scale_verb", "--alone", str(paths.root.absolute())]
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    found = json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)
    print(
        f"scale_verb_{ranker} {found['peak_gb']:.2f} GB peak (below {MEMORY_LIMIT_GB:g}) of the whole verb on "
        f"{galaxies} galaxies in {found['s']:.0f} s, {found['cpu_s']:.0f} s of all cores, at load "
        f"{os.getloadavg()[0]:.1f}; wrote {digest(paths.rank_results)}", flush=True,
    )  # fmt: skip


def measure(root: Path) -> dict[str, float]:
    """Run the verb in this process, and tell what it took; a parent cannot ask, for its own peak would count too."""
    os.chdir(root)
    start = time.perf_counter()
    cli(["rank"], standalone_mode=False)
    return {"s": time.perf_counter() - start, "cpu_s": time.process_time(), "peak_gb": peak_gb()}


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()[:16]


if __name__ == "__main__":
    main()

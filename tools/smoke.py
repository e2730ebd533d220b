"""What must hold after `dvc repro` has passed; with --lock, only that the committed lock is up to date.

1. a second repro runs `register`, which always runs, and nothing else;
2. the working tree has no change but in what the run wrote;
3. the registered champion gives embeddings for images;
4. the selected row beats chance;
5. packing the shards once more gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ALWAYS = {"register"}
WRITTEN = ("dvc.lock", "results/", "models/")


def stages_run(*arguments: str) -> set[str]:
    """Return the names of the stages that ``dvc repro`` runs, or would run."""
    said = subprocess.run(["dvc", "repro", *arguments], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"Running stage '([^']+)'", said))


def changed_files() -> list[str]:
    """Return the files that git sees as changed or new."""
    said = subprocess.run(["git", "status", "--porcelain"], check=True, capture_output=True, text=True).stdout
    return [line[3:] for line in said.splitlines()]


def champion_predicts() -> None:
    """Ask the registered model for the embeddings of two images of its size."""
    import numpy as np

    from mergerscope.paths import Paths, find_root
    from mergerscope.tracking.store import ALIAS, MODEL_NAME, initialise

    paths = Paths(find_root())
    initialise(paths)
    import mlflow

    shape = json.loads(paths.manifest.read_text(encoding="utf-8"))["image_shape"]
    images = np.random.default_rng(0).integers(0, 255, size=(2, *shape), dtype=np.uint8)
    embeddings = mlflow.pyfunc.load_model(f"models:/{MODEL_NAME}@{ALIAS}").predict(images)
    assert len(embeddings) == 2, embeddings
    assert np.isfinite(embeddings).all(), embeddings


def beats_chance() -> None:
    """Compare the selected row's average precision with chance."""
    metrics = json.loads(Path("results/evaluate/metrics.json").read_text(encoding="utf-8"))
    (selected,) = [row for row in metrics["rows"] if row["selected"]]
    assert selected["average_precision"]["value"] > metrics["chance"], selected


def packs_alike() -> None:
    """Pack the survey again into another folder and compare digests."""
    from mergerscope.params import load_params
    from mergerscope.paths import Paths, find_root
    from mergerscope.stages import shard

    here = Paths(find_root())
    with tempfile.TemporaryDirectory() as folder:
        there = Paths(Path(folder))
        there.catalog_report.mkdir(parents=True)
        for part in (here.catalog, here.catalog_report / "refused.csv"):
            (there.root / part.relative_to(here.root)).write_bytes(part.read_bytes())
        params = load_params(here.params)
        root = params.survey.model_copy(update={"root": str(here.root / params.survey.root)})
        shard.run(there, params.model_copy(update={"survey": root}))
        assert digests(there.shards) == digests(here.shards)


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def main() -> int:
    """Check, say what was checked, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lock", action="store_true")
    if parser.parse_args().lock:
        stale = stages_run("--dry", "--allow-missing") - ALWAYS
        print(f"out of date in dvc.lock: {', '.join(sorted(stale)) or 'nothing'}")
        return 1 if stale else 0
    again = stages_run()
    assert again <= ALWAYS, f"a second repro ran {again}"
    strange = [file for file in changed_files() if not file.startswith(WRITTEN)]
    assert not strange, f"changed files: {strange}"
    champion_predicts()
    beats_chance()
    packs_alike()
    print("second repro, working tree, champion, chance, packing: all as they must be")
    return 0


if __name__ == "__main__":
    sys.exit(main())

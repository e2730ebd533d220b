"""The whole graph on a slice of the bundled survey, as a user runs it: pulled, run, run again, killed, resumed."""

import csv
import json
import os
import re
import signal
import sqlite3
import time

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.pipeline

RUN_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


@pytest.fixture(scope="module")
def finished(project):
    """The project after its first run, committed."""
    project.run("dvc", "pull", "--quiet", "data.dvc")
    assert "800 galaxies" in project.run("python", "tools/slice.py", "800")
    project.run("dvc", "add", "--quiet", "data")
    said = project.run("dvc", "repro")
    project.commit("First results")
    return project, said


def stages_in(said):
    return re.findall(r"Running stage '([^']+)'", said)


def test_every_stage_runs_once_in_order(finished):
    _, said = finished
    ran = stages_in(said)
    assert sorted(ran) == sorted(["catalog", "shard", "train", "register", "embed", "evaluate", "rank", "report"])
    assert ran[:5] == ["catalog", "shard", "train", "register", "embed"]
    assert ran[-1] == "report"


def test_a_second_run_does_nothing_but_register_and_leaves_the_tree_clean(finished):
    project, _ = finished
    assert stages_in(project.run("dvc", "repro")) == ["register"]
    assert project.run("git", "status", "--porcelain") == ""


def test_what_must_hold_after_a_run_holds(finished):
    project, _ = finished
    assert "all as they must be" in project.run("python", "tools/smoke.py")
    assert "out of date in dvc.lock: nothing" in project.run("python", "tools/smoke.py", "--lock")


def test_every_galaxy_is_a_candidate_a_reference_or_refused(finished):
    project, _ = finished
    catalog = pq.read_table(project.root / "catalog.parquet").to_pylist()
    manifest = json.loads((project.root / "shards/manifest.json").read_text(encoding="utf-8"))
    candidates = pq.read_table(project.root / "results/rank/candidates.parquet")
    with (project.root / "results/rank/candidates.csv").open(encoding="utf-8", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == candidates["id"].to_pylist()
    known = {row["id"] for row in catalog if row["known_merger"]}
    refused = {refusal["id"] for refusal in manifest["refused"] if refusal["stage"] == "shard"}
    assert set(candidates["id"].to_pylist()) == {row["id"] for row in catalog} - known - refused
    assert candidates["rank"].to_pylist() == list(range(1, len(candidates) + 1))


def test_the_metrics_have_the_fixed_names(finished):
    project, _ = finished
    metrics = json.loads((project.root / "results/evaluate/metrics.json").read_text(encoding="utf-8"))
    assert {"pool", "hidden", "chance", "rows", "significance"} <= metrics.keys()
    assert {row["encoder"] for row in metrics["rows"]} == {
        "trained", "untrained", "rgb_pixels", "pca_pixels", "moco_references"
    }  # fmt: skip
    (selected,) = [row for row in metrics["rows"] if row["selected"]]
    assert selected["encoder"] == "trained"
    for row in metrics["rows"]:
        for name in ("average_precision", "auroc"):
            assert {"value", "low", "high"} <= row[name].keys()
        for name in ("precision_at", "recall_at", "enrichment_at", "ndcg_at"):
            assert {"10", "20", "50", "100", str(metrics["hidden"])} <= row[name].keys()


def test_dvc_shows_metrics_plots_and_the_graph(finished):
    project, _ = finished
    assert "results/evaluate/metrics.json" in project.run("dvc", "metrics", "show", "--md")
    assert "index.html" in project.run("dvc", "plots", "show")
    assert "evaluate" in project.run("dvc", "dag", "--md")
    assert project.run("git", "status", "--porcelain") == "", "dvc plots writes into a folder that git ignores"


def test_the_summary_shows_the_selected_row_and_the_report(finished):
    project, _ = finished
    said = project.run("mergerscope", "summary")
    assert "trained: selected" in said
    assert "results/report.html" in said.replace("\n", "")


def test_the_report_opens_offline(finished):
    project, _ = finished
    page = (project.root / "results/report.html").read_text(encoding="utf-8")
    # links that a reader may follow are fine; what the page itself would load is not
    assert not re.search(r"""(<link[^>]*href|src|@import|url\()\s*[=(]?\s*["']?(https?:)?//""", page)


def test_no_output_names_a_run(finished):
    project, _ = finished
    with sqlite3.connect(project.root / "mlflow.db") as database:
        runs = {row[0].encode() for row in database.execute("SELECT run_uuid FROM runs")}
    database.close()
    assert runs
    for folder in ("models", "results", "embeddings", "shards", "catalog.parquet"):
        place = project.root / folder
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.is_file():
                assert not runs & set(RUN_ID.findall(path.read_bytes())), path


def test_a_training_that_is_killed_goes_on_where_it_was(finished):
    project, _ = finished
    project.set("train", epochs=6, seed=2)
    process = project.start("dvc", "repro", "train", start_new_session=True)
    wait_for(lambda: list(project.root.glob(".scratch/train/*/last.ckpt")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    assert stages_in(project.run("dvc", "repro", "register")) == ["train", "register"]
    with (project.root / "results/train/history.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 6
    with sqlite3.connect(project.root / "mlflow.db") as database:
        (number,) = database.execute("SELECT count(*) FROM runs").fetchone()
    database.close()
    assert number == 2, "the first training and the resumed one, which is a single run"
    assert "embed" in stages_in(project.run("dvc", "repro", "--dry")), "made with the weights before"


def wait_for(ready, process, seconds=300):
    deadline = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, "the stage ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)

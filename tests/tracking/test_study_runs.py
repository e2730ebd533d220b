"""A sweep in MLflow: a parent, its children, and what becomes of them when processes are killed."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from PIL import Image

from mergerscope.params import Params, Searched, parse_params, with_values
from mergerscope.paths import Paths
from mergerscope.tracking.parameters import model_parameters
from mergerscope.tracking.run import Run
from mergerscope.tracking.store import experiment_id, initialise
from mergerscope.tracking.study_runs import LONGEST, StudyRuns

SPACE = {
    "views.strength": Searched(type="float", low=0.0, high=1.0),
    "encoder.embedding_dim": Searched(type="int", low=32, high=1024, log=True),
    "rank.ranker": Searched(type="categorical", choices=("lda", "density")),
}
VALUES = {"views.strength": 0.25, "encoder.embedding_dim": 64, "rank.ranker": "lda"}


def runs(paths: Paths) -> dict[str, mlflow.entities.Run]:
    client = initialise(paths)
    return {run.info.run_id: run for run in client.search_runs([experiment_id(client)])}


def test_parent_and_children(paths: Paths, params: Params, tmp_path: Path) -> None:
    study = StudyRuns.open(paths, "strength", params, SPACE)
    first, second, third = (study.begin(number, VALUES, attempt=number // 2) for number in range(3))
    for run in (second, first, third):  # all three are open at once
        run.log_epoch(1, {"loss": 2.0, "validation_recall": 0.3})
    study.end(first.id, "COMPLETE", {"recall": 0.5, "spread": None, "noise": math.nan})
    study.end(second.id, "PRUNED", {"recall": 0.3})
    study.end(third.id, "FAIL", {}, "the loss became infinite")
    files = [tmp_path / name for name in ("history.png", "best.yaml", "trials.csv", "report.html")]
    Image.new("RGB", (4, 4)).save(files[0])
    for file in files[1:]:
        file.write_text("x", encoding="utf-8")
    study.keep(files)
    study.finish("FINISHED", {"best_recall": 0.5})

    found = runs(paths)
    parent = found.pop(study.id)
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "sweep strength"
    assert parent.data.metrics == {"best_recall": 0.5}
    assert parent.data.tags["mergerscope.study"] == "strength"
    assert parent.data.tags["mlflow.source.name"] == "mergerscope sweep"
    assert parent.data.params == model_parameters(params) | {
        "space.views.strength": "0.0 to 1.0", "space.encoder.embedding_dim": "32 to 1024, log",
        "space.rank.ranker": "lda or density",
    }
    folder = paths.root / "mlartifacts" / study.id / "artifacts"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == {
        "figures/history.png", "study/best.yaml", "study/trials.csv", "study/report.html",
    }
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {study.id}
    told = {
        run.data.tags["optuna.trial_number"]: (run.info.status, run.data.tags["optuna.state"], run.info.run_name)
        for run in found.values()
    }
    assert told == {
        "0": ("FINISHED", "COMPLETE", "strength trial 0"),
        "1": ("FINISHED", "PRUNED", "strength trial 1"),
        "2": ("FAILED", "FAIL", "strength trial 2, attempt 2"),
    }
    child = found[first.id]
    assert child.data.metrics == {"loss": 2.0, "validation_recall": 0.3, "recall": 0.5}
    values = {"views.strength": "0.25", "encoder.embedding_dim": "64", "rank.ranker": "lda"}
    assert child.data.params == model_parameters(params) | values
    assert found[third.id].data.tags["reason"] == "the loss became infinite"


def test_a_childs_parameters_are_those_that_take_part_with_its_values(paths: Paths, params: Params) -> None:
    study = StudyRuns.open(paths, "moco", params, {})
    values = {"objective.moco.weight": 0.5, "objective.pairs.separation": [0.3, 1.0]}
    run = study.begin(0, values, with_values(params, values))
    parameters = runs(paths)[run.id].data.params
    assert parameters["objective.moco.queue"] == "4096"
    assert parameters["objective.pairs.separation"] == "0.3 to 1.0"
    assert "objective.moco.queue" not in runs(paths)[study.id].data.params
    wrong = study.begin(1, {"objective.pairs.separation": [3.0, 1.0]})  # no range, which the trial will say
    assert runs(paths)[wrong.id].data.params["objective.pairs.separation"] == "[3.0, 1.0]"


def test_a_reopened_parent_runs_again_and_keeps_what_it_holds(paths: Paths, params: Params) -> None:
    study = StudyRuns.open(paths, "one", params, SPACE)
    study.finish("KILLED", {"best_recall": 0.4})
    changed = parse_params(params.model_dump(by_alias=True) | {"train": {"epochs": 9}})
    crop = Searched(type="float", low=0.1, high=1.0, step=0.1)
    again = StudyRuns.open(paths, "one", changed, SPACE | {"shard.crop": crop}, run_id=study.id)
    assert again.id == study.id
    parent = runs(paths)[study.id]
    assert parent.info.status == "RUNNING"
    assert parent.data.params["train.epochs"] == "2"
    assert parent.data.params["space.shard.crop"] == "0.1 to 1.0 in steps of 0.1"
    again.finish("FINISHED", {"best_recall": 0.5})
    parent = runs(paths)[study.id]
    assert (parent.info.status, parent.data.metrics["best_recall"]) == ("FINISHED", 0.5)
    assert len(runs(paths)) == 1


def test_children_in_progress_are_those_of_this_study(paths: Paths, params: Params) -> None:
    study = StudyRuns.open(paths, "one", params, SPACE)
    other = StudyRuns.open(paths, "two", params, SPACE)
    begun = [study.begin(number, VALUES) for number in range(3)]
    other.begin(0, VALUES)
    study.end(begun[0].id, "COMPLETE", {})
    assert study.open_children() == {begun[1].id: 1, begun[2].id: 2}
    study.end(begun[1].id, "FAIL", {}, "its sweep was killed", killed=True)
    assert study.open_children() == {begun[2].id: 2}
    found = runs(paths)[begun[1].id]
    assert found.info.status == "KILLED"
    assert (found.data.tags["optuna.state"], found.data.tags["reason"]) == ("FAIL", "its sweep was killed")


def test_long_values_are_cut_and_do_not_stop_a_sweep(paths: Paths, params: Params) -> None:
    many = {"rank.ranker": Searched(type="categorical", choices=tuple(f"choice-{number:03d}" for number in range(200)))}
    study = StudyRuns.open(paths, "long", params, many)
    value = runs(paths)[study.id].data.params["space.rank.ranker"]
    assert len(value) == LONGEST
    assert value.startswith("choice-000 or choice-001")
    assert value.endswith("...")
    StudyRuns.open(paths, "long", params, many, study.id)


@pytest.mark.parametrize("lost", ["0" * 32, "deleted"])
def test_a_parent_that_this_store_does_not_hold_gets_one_in_its_place(
    paths: Paths, params: Params, lost: str
) -> None:
    if lost == "deleted":
        lost = StudyRuns.open(paths, "one", params, SPACE).id
        initialise(paths).delete_run(lost)
    fresh = StudyRuns.open(paths, "one", params, SPACE, run_id=lost)
    assert fresh.id != lost
    fresh.finish("KILLED", {})
    assert StudyRuns.open(paths, "one", params, SPACE, run_id=lost).id == fresh.id


CHILD = """
import sys, time
from pathlib import Path
from mergerscope.params import parse_params
from mergerscope.paths import Paths
from mergerscope.tracking.study_runs import StudyRuns

root, run_id, gate, number = sys.argv[1:]
params = parse_params({"shard": {"size": 16}})
space = {"views.strength": "0.0 to 1.0"}
print("ready", flush=True)
while not Path(gate).exists():
    time.sleep(0.002)
study = StudyRuns.open(Paths(Path(root)), "both", params, space, run_id=run_id)
run = study.begin(int(number), {"views.strength": 0.5})
run.log_epoch(1, {"loss": 1.0})
study.end(run.id, "COMPLETE", {"recall": 0.5})
print(study.id, flush=True)
"""


def at_once(root: Path, run_id: str, gate: Path, many: int = 2) -> list[str]:
    """Open the parent in several processes at the same moment, and return the ids that they got."""
    workers: list[subprocess.Popen[str]] = []
    try:
        for number in range(many):
            command = [sys.executable, "-c", CHILD, str(root), run_id, str(gate), str(number)]
            workers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        gate.touch()
        answers = [worker.communicate(timeout=300)[0].strip() for worker in workers]
        assert [worker.returncode for worker in workers] == [0] * many
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    return answers


def test_two_processes_that_open_at_once_share_one_parent(paths: Paths, tmp_path: Path) -> None:
    """The store lacks the parent that the study remembers, so that both make one, and both log its parameters."""
    ids = at_once(paths.root, "f" * 32, tmp_path / "gate")
    assert len(set(ids)) == 1
    found = runs(paths)
    parent = found.pop(ids[0])
    assert parent.data.params["space.views.strength"] == "0.0 to 1.0"
    assert len(found) == 2
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {ids[0]}
    assert {run.info.status for run in found.values()} == {"FINISHED"}


def test_parameters_that_another_process_is_logging_are_logged_again(
    paths: Paths, params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, refused = Run.log_parameters, []

    def refuse_once(run: Run, parameters: Mapping[str, str]) -> None:
        if not refused:
            refused.append(run.id)
            raise MlflowException("UNIQUE constraint failed: params.key, params.run_uuid")
        log(run, parameters)

    monkeypatch.setattr(Run, "log_parameters", refuse_once)
    study = StudyRuns.open(paths, "raced", params, SPACE)
    assert refused == [study.id]
    assert runs(paths)[study.id].data.params["space.views.strength"] == "0.0 to 1.0"


def test_what_a_killed_process_leaves_is_taken_up(paths: Paths, params: Params) -> None:
    code = f"""
import os, signal
from pathlib import Path
from mergerscope.params import parse_params
from mergerscope.paths import Paths
from mergerscope.tracking.study_runs import StudyRuns
params = parse_params({params.model_dump(by_alias=True, mode="json")!r})
study = StudyRuns.open(Paths(Path({str(paths.root)!r})), "killed", params, {{}})
study.begin(0, {{"views.strength": 0.5}}).log_epoch(1, {{"loss": 1.0}})
print(study.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    run_id = killed.stdout.strip()
    assert {run.info.status for run in runs(paths).values()} == {"RUNNING"}
    again = StudyRuns.open(paths, "killed", params, {}, run_id)
    assert again.id == run_id
    (left,) = again.open_children()
    again.end(left, "FAIL", {}, killed=True)
    again.end(again.begin(1, {"views.strength": 0.5}, params, attempt=1).id, "COMPLETE", {"recall": 0.5})
    again.finish("FINISHED", {})
    assert sorted(run.info.status for run in runs(paths).values()) == ["FINISHED", "FINISHED", "KILLED"]


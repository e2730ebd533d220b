"""Killed at random points, workers and the sweep itself: no trial is lost, none too many, nothing left running."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from mergerscope.sweep.count import counted, is_void
from mergerscope.sweep.request import Request
from mergerscope.sweep.run import run
from mergerscope.sweep.storage import open_storage
from mergerscope.tracking.store import experiment_id, initialise

KILLS = 10
TRIALS = 14
PATIENCE_S = 600

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes by /proc")


def workers_of(sweep: int) -> list[int]:
    """The workers of a sweep: the processes that its fork server has started."""
    return [worker for server in children_of(sweep) for worker in children_of(server)]


def children_of(process: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def lines(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def start(paths, params):
    """A sweep in a process of its own."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["mergerscope.sweep.run"])
    request = Request("killed", TRIALS, workers=2, resume=True)
    process = context.Process(target=run, args=(paths, params, request))
    process.start()
    return process


def wait_until(met, sweep):
    until = time.monotonic() + PATIENCE_S
    while not (found := met()):
        assert sweep.is_alive(), "the trials were over before all kills"
        assert time.monotonic() < until
        time.sleep(0.002)
    return found


def test_ten_kills_at_random_points(paths, params):
    draw = random.Random(20)
    victims = draw.sample(["sweep", "worker"], k=KILLS, counts=[6, 4])  # fewer workers than the same values may cost
    journal = paths.sweeps / "killed" / "journal.log"
    sweep = start(paths, params)
    for victim in victims:
        # Points of the work, not of the clock: they are the same on any machine.
        goal = lines(journal) + draw.randint(1, 24)
        wait_until(lambda goal=goal: lines(journal) >= goal, sweep)
        if victim == "worker":
            # Looked at once: a moment later it may have no worker, for one that died is begun anew.
            os.kill(draw.choice(wait_until(lambda sweep=sweep: workers_of(sweep.pid), sweep)), signal.SIGKILL)
        else:
            os.kill(sweep.pid, signal.SIGKILL)
            sweep.join()
            sweep = start(paths, params)
    sweep.join(PATIENCE_S)
    assert sweep.exitcode == 0

    study = optuna.load_study(study_name="killed", storage=open_storage(None, journal))
    trials = study.trials
    assert len(counted(study)) == TRIALS
    assert all(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in counted(study))
    assert all(trial.state.is_finished() for trial in trials)
    # What was lost has been tried again with the same values.
    lost = [trial for trial in trials if is_void(trial)]
    # A worker may have been hit between two trials.
    assert {"sweep"} <= {trial.user_attrs["lost"] for trial in lost} <= {"sweep", "worker"}
    values = [trial.params for trial in counted(study)]
    assert all(trial.params in values for trial in lost if len(trial.params) == 2)
    assert [trial.user_attrs.get("baseline") for trial in counted(study)].count(True) == 1
    assert len({tuple(sorted(one.items())) for one in values}) == TRIALS

    client = initialise(paths)
    runs = client.search_runs([experiment_id(client)])
    assert [run for run in runs if run.info.status == "RUNNING"] == []
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.status == "FINISHED"
    ended = {run.data.tags["optuna.trial_number"]: run.info.status for run in runs if run is not parent}
    assert {number for number, status in ended.items() if status == "FINISHED"} == {
        str(trial.number) for trial in counted(study)
    }
    assert not (paths.sweeps / "killed" / ".scratch").exists()


def test_an_interrupt_leaves_what_there_is_and_no_worker(paths, params):
    folder = paths.sweeps / "killed"
    sweep = start(paths, params)
    # some thirty lines: a trial or two are over, and one runs
    workers = wait_until(lambda: lines(folder / "journal.log") >= 30 and workers_of(sweep.pid), sweep)
    os.kill(sweep.pid, signal.SIGINT)
    sweep.join(PATIENCE_S)
    assert sweep.exitcode == 1  # KeyboardInterrupt, of which the command line makes 130
    assert {"trials.csv", "report.html"} <= {path.name for path in folder.iterdir()}
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    client = initialise(paths)
    assert {run.info.status for run in client.search_runs([experiment_id(client)])} <= {"FINISHED", "KILLED"}
    study = optuna.load_study(study_name="killed", storage=open_storage(None, folder / "journal.log"))
    assert all(trial.state.is_finished() for trial in study.trials)
    assert all(trial.user_attrs["stopped"] for trial in study.trials if trial.state == TrialState.FAIL)

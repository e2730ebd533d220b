"""When something else fails in the midst of a sweep: nothing is left running, and a trial that was lost comes again."""

from __future__ import annotations

import multiprocessing

import optuna
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from optuna.trial import TrialState

from mergerscope.sweep.count import counted
from mergerscope.sweep.crew import Crew, Died
from mergerscope.sweep.ledger import Ledger
from mergerscope.sweep.request import Request
from mergerscope.sweep.run import run
from mergerscope.sweep.storage import open_storage
from mergerscope.sweep.study import open_study
from mergerscope.tracking.store import experiment_id, initialise
from mergerscope.tracking.study_runs import StudyRuns


class BrokenError(Exception):
    """What goes wrong."""


def broken(*given, **named):
    raise BrokenError


def study_of(paths):
    return optuna.load_study(study_name="one", storage=open_storage(None, paths.sweeps / "one" / "journal.log"))


def test_a_storage_that_is_gone_leaves_no_workers(paths, params, monkeypatch):
    before = set(multiprocessing.active_children())
    monkeypatch.setattr(Ledger, "report", broken)
    monkeypatch.setattr(Ledger, "end", broken)
    with pytest.raises(BrokenError):
        run(paths, params, Request("one", 1))
    assert set(multiprocessing.active_children()) <= before


def test_a_trial_whose_run_cannot_be_begun_comes_again(paths, params, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(StudyRuns, "begin", broken)
        with pytest.raises(BrokenError):
            run(paths, params, Request("one", 1))
    (trial,) = study_of(paths).trials
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["reason"] == "its run could not be begun"
    run(paths, params, Request("one", 1, resume=True))
    (trial,) = counted(study_of(paths))
    assert (trial.state, trial.user_attrs["retry_of"]) == (TrialState.COMPLETE, 0)


def test_a_page_that_cannot_be_written_leaves_no_run_in_progress(paths, params, monkeypatch):
    monkeypatch.setattr("mergerscope.sweep.outcome.write_outcome", broken)
    with pytest.raises(BrokenError):
        run(paths, params, Request("one", 1))
    client = initialise(paths)
    ended = sorted(one.info.status for one in client.search_runs([experiment_id(client)]))
    assert ended == ["FAILED", "FINISHED"]


def test_present_settings_that_another_machine_took_for_lost_come_again(paths, params, monkeypatch):
    report = Ledger.report

    def taken(self, trial, recall, step):
        if trial.number == 0:
            self.end(0, TrialState.FAIL, lost="sweep", reason="no sign of life")
        report(self, trial, recall, step)

    monkeypatch.setattr(Ledger, "report", taken)
    run(paths, params, Request("one", 1))
    (trial,) = counted(study_of(paths))
    assert (trial.state, trial.user_attrs["retry_of"]) == (TrialState.COMPLETE, 0)
    assert trial.user_attrs["baseline"]


def test_a_worker_killed_in_the_midst_of_a_message(tmp_path):
    crew = Crew(1, 1, tmp_path)
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=print)
    process.start()
    crew._busy[0] = process, here
    with open(there.fileno(), "wb", closefd=False) as line:
        line.write(b"\0\0\1\0half")  # of a message of 256 bytes
    there.close()
    assert crew.wait(60) == [(0, Died("ended with exit code 0"))]


def test_the_last_words_of_a_worker_are_kept(tmp_path):
    crew = Crew(1, 1, tmp_path)
    process, line = crew._hire()
    crew._busy[0] = process, line
    (tmp_path / "worker-1.log").write_text("out of everything\n")
    process.kill()
    (heard,) = crew.wait(60)
    assert heard == (0, Died("was ended by SIGKILL, perhaps for want of memory", "out of everything"))


def test_a_store_that_is_away_for_an_epoch_costs_nothing(paths, params, monkeypatch, capsys):
    log_batch = MlflowClient.log_batch
    away = iter([True])

    def sometimes(self, run_id, metrics=(), **more):
        if any(metric.key == "loss" for metric in metrics) and next(away, False):
            raise MlflowException("gone fishing")
        return log_batch(self, run_id, metrics=metrics, **more)

    monkeypatch.setattr(MlflowClient, "log_batch", sometimes)
    run(paths, params, Request("one", 1))
    (trial,) = counted(study_of(paths))
    assert trial.state == TrialState.COMPLETE
    client = initialise(paths)
    steps = [metric.step for metric in client.get_metric_history(trial.user_attrs["mlflow_run_id"], "loss")]
    assert steps == list(range(study_of(paths).user_attrs["settings"]["epochs"]))
    assert "its last epoch is logged later" in capsys.readouterr().err


def test_sweeps_that_begin_at_once_agree_on_the_key(params, tmp_path, monkeypatch):
    """The other one sets its key after this one has set its own."""
    storage = open_storage(None, tmp_path / "journal.log")

    def meanwhile(seconds):
        study_id = storage.get_study_id_from_name("one")
        storage.set_study_user_attr(study_id, "key", "of the other")

    monkeypatch.setattr("mergerscope.sweep.study.time.sleep", meanwhile)
    study = open_study(storage, "one", params.sweep, {"epochs": 1, "repeats": 1}, resume=True)
    assert study.user_attrs["key"] == "of the other"

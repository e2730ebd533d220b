"""Whole sweeps over a small survey."""

from __future__ import annotations

import csv
import math
import os
import signal
import threading

import optuna
import pytest
from optuna.trial import TrialState
from ruamel.yaml import YAML

from mergerscope.errors import ContractError, SweepError
from mergerscope.sweep.count import counted
from mergerscope.sweep.request import Request
from mergerscope.sweep.run import run
from mergerscope.sweep.storage import open_storage
from mergerscope.tracking.store import experiment_id, initialise


def study_of(paths, name="one", storage=None):
    return optuna.load_study(study_name=name, storage=open_storage(storage, paths.sweeps / name / "journal.log"))


def runs_of(paths):
    client = initialise(paths)
    return client.search_runs([experiment_id(client)])


@pytest.fixture
def sweep(paths):
    def sweep(params, trials=3, **more):
        run(paths, params, Request(**{"study": "one", "trials": trials, "workers": 2, **more}))
        return study_of(paths, more.get("study", "one"), more.get("storage"))

    return sweep


class TestAWholeSweep:
    def test_what_the_study_holds(self, paths, params, sweep):
        study = sweep(params, trials=4)
        trials = study.trials
        assert len(counted(study)) == len(trials) == 4
        first = trials[0]
        assert first.params == {"views.strength": 0.5, "encoder.embedding_dim": 16}
        assert [trial.user_attrs.get("baseline") for trial in trials] == [True, None, None, None]
        for trial in trials:
            assert trial.state == TrialState.COMPLETE
            assert trial.user_attrs["values"] == trial.params
            assert sorted(trial.intermediate_values) == [1, 2]
            (folds,) = trial.user_attrs["fold_recalls"]
            assert len(folds) == 3
            assert trial.value == pytest.approx(sum(folds) / 3) == trial.user_attrs["recalls"][0]
            assert trial.user_attrs["seconds"] > 0
            assert trial.user_attrs["embedding_dim"] == trial.params["encoder.embedding_dim"]
        assert len({tuple(trial.params.values()) for trial in trials}) == 4

    def test_what_it_leaves(self, paths, params, sweep):
        study = sweep(params, trials=3)
        folder = paths.sweeps / "one"
        best = YAML(typ="safe").load(folder / "best.yaml")
        assert best == max(study.trials, key=lambda trial: (trial.value, -trial.number)).params
        with (folder / "trials.csv").open(newline="") as file:
            assert [row["number"] for row in csv.DictReader(file)] == ["0", "1", "2"]
        assert (folder / "report.html").is_file()
        assert not (folder / ".scratch").exists()

    def test_what_mlflow_holds(self, paths, params, sweep):
        study = sweep(params, trials=3)
        runs = {run.info.run_id: run for run in runs_of(paths)}
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
        children = [runs.pop(trial.user_attrs["mlflow_run_id"]) for trial in study.trials]
        (parent,) = runs.values()
        for trial, child in zip(study.trials, children, strict=True):
            assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
            assert child.data.tags["optuna.state"] == "COMPLETE"
            assert child.data.metrics["recall"] == pytest.approx(trial.value)
            assert child.data.params["train.epochs"] == "2"
            assert float(child.data.params["views.strength"]) == trial.params["views.strength"]
        assert parent.data.metrics["trials"] == 3

    def test_the_present_settings_get_what_train_would_get(self, paths, params, sweep):
        from mergerscope.learn.fit import fit
        from mergerscope.survey.catalog import read_catalog

        tree = params.model_copy(update={"train": params.train.model_copy(update={"monitor_k": 10})})
        expected = fit(tree, paths.shards, read_catalog(paths.catalog))
        trial = sweep(params, trials=1).trials[0]
        assert trial.value == pytest.approx(expected.validation["trained"]["recall"])
        assert trial.user_attrs["fold_recalls"] == [pytest.approx(list(expected.fold_recalls))]


class TestTheHiddenMergers:
    def test_what_people_said_of_them_changes_nothing(self, paths, params, sweep, tmp_path):
        """Their votes could be anything: each trial of a sweep is the same to the last digit."""
        expected = sweep(params, trials=3, workers=1)
        hide_votes(paths)
        found = sweep(params, trials=3, workers=1, study="two")
        assert [told(trial) for trial in found.trials] == [told(trial) for trial in expected.trials]


def told(trial):
    attrs = {name: trial.user_attrs[name] for name in ("recalls", "fold_recalls", "average_precisions")}
    return trial.params, trial.values, trial.intermediate_values, attrs


def hide_votes(paths):
    """Leave of the hidden mergers' votes nothing in the catalogue."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(paths.catalog)
    hidden = np.array(table["role"].to_pylist()) == "hidden"
    assert hidden.any()
    for name in table.schema.names:
        column = table[name].to_pylist()
        if name.startswith(("vote", "p_")) or name in ("known_merger", "judged"):
            print(name)
            column = [None if gone else value for gone, value in zip(hidden, column, strict=True)]
            table = table.set_column(
                table.schema.get_field_index(name), table.schema.field(name), pa.array(column, table.schema.field(name).type)
            )
    pq.write_table(table, paths.catalog)

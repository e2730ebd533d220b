"""Whole sweeps over a small survey."""

from __future__ import annotations

import csv
import io

import numpy as np
import optuna
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from optuna.trial import TrialState
from ruamel.yaml import YAML

from mergerscope.errors import ContractError, ParameterError, SweepError
from mergerscope.shards.index import shard_index
from mergerscope.survey.catalog_file import read_catalog
from mergerscope.sweep import dispatch
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
def sweep(paths, monkeypatch):
    """Run a sweep. What it writes at its end has tests of its own, and takes longer than these trials."""

    def sweep(params, trials=3, drawn=False, **more):
        if not drawn:
            monkeypatch.setattr("mergerscope.sweep.outcome.write_outcome", lambda *given: [])
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
        study = sweep(params, trials=3, drawn=True)
        folder = paths.sweeps / "one"
        best = YAML(typ="safe").load(folder / "best.yaml")
        assert best == max(study.trials, key=lambda trial: (trial.value, -trial.number)).params
        with (folder / "trials.csv").open(newline="") as file:
            assert [row["number"] for row in csv.DictReader(file)] == ["0", "1", "2"]
        assert (folder / "report.html").is_file()
        assert not (folder / ".scratch").exists()
        client = initialise(paths)
        (parent,) = [run for run in runs_of(paths) if "mlflow.parentRunId" not in run.data.tags]
        kept = {artifact.path for artifact in client.list_artifacts(parent.info.run_id, "study")}
        assert kept == {"study/best.yaml", "study/trials.csv", "study/report.html"}

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
    def test_what_people_said_of_them_changes_nothing(self, paths, params, sweep):
        """Their votes could be anything: each trial of a sweep is the same to the last digit."""
        expected = sweep(params, workers=1)
        change_hidden(paths, known_merger=lambda known: not known, judged=lambda judged: not judged,
                      vote=lambda vote: None, p_merger=lambda vote: 0.0)  # fmt: skip
        found = sweep(params, workers=1, study="two")
        assert [told(trial) for trial in found.trials] == [told(trial) for trial in expected.trials]

    def test_nor_do_their_pictures_where_references_are_trained_on(self, paths, changed, sweep, blacken):
        params = changed(train={"images": "references", "batch_size": 8})
        expected = sweep(params, workers=1)
        # The mean and spread of pixels are those of the first shard, whoever is in it.
        later = [name for name in ids_of(paths, "hidden") if name >= "g00004"]
        assert len(later) > 2
        blacken(later)
        found = sweep(params, workers=1, study="two")
        assert [told(trial) for trial in found.trials] == [told(trial) for trial in expected.trials]

    def test_what_is_said_of_references_does(self, paths, params, sweep):
        expected = sweep(params, trials=1, workers=1).trials
        change(paths, "reference", known_merger=lambda known: False)
        with pytest.raises(ContractError, match="0 references"):
            sweep(params, trials=1, workers=1, study="two")
        assert told(expected[0])


def told(trial):
    attrs = {name: trial.user_attrs[name] for name in ("recalls", "fold_recalls", "average_precisions")}
    return trial.params, trial.values, trial.intermediate_values, attrs


def ids_of(paths, role):
    catalog = read_catalog(paths.catalog)
    return catalog.ids[catalog.role == role].tolist()


def change_hidden(paths, **columns):
    change(paths, "hidden", **columns)


def change(paths, role, **columns):
    """Change columns of the catalogue for the galaxies of a role."""
    table = pq.read_table(paths.catalog)
    inside = [one == role for one in table["role"].to_pylist()]
    assert any(inside)
    for name, other in columns.items():
        before = table[name].to_pylist()
        after = [other(value) if chosen else value for chosen, value in zip(inside, before, strict=True)]
        assert after != before
        field = table.schema.field(name)
        table = table.set_column(table.schema.get_field_index(name), field, pa.array(after, field.type))
    pq.write_table(table, paths.catalog)


@pytest.fixture
def blacken(paths):
    """Make pictures in the shards black; the manifest still tells the old bytes."""

    def blacken(names):
        for shard in paths.shards.glob("*.tar"):
            index, data = shard_index(shard), bytearray(shard.read_bytes())
            for name, (start, stop) in zip(index.ids, index.spans, strict=True):
                if name in names:
                    stream = io.BytesIO()
                    np.save(stream, np.zeros((3, 16, 16), np.uint8))
                    data[start:stop] = stream.getvalue()
            shard.write_bytes(data)

    return blacken


class TestOtherTrials:
    def test_some_are_given_up(self, paths, changed, sweep, monkeypatch):
        monkeypatch.setattr(dispatch.Ledger, "should_prune", lambda self, trial, step: trial.number == 2)
        study = sweep(changed(sweep={"startup_trials": 1}), trials=4)
        states = [trial.state for trial in study.trials]
        assert states == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE]
        assert sorted(study.trials[2].intermediate_values) == [1]
        (run,) = [run for run in runs_of(paths) if run.data.tags.get("optuna.trial_number") == "2"]
        assert (run.info.status, run.data.tags["optuna.state"]) == ("FINISHED", "PRUNED")

    def test_several_trainings_a_trial(self, paths, changed, sweep):
        study = sweep(changed(sweep={"repeats": 2}), trials=2)
        for trial in study.trials:
            recalls = trial.user_attrs["recalls"]
            assert len(recalls) == len(trial.user_attrs["fold_recalls"]) == 2
            assert trial.value == pytest.approx(sum(recalls) / 2)
            assert sorted(trial.intermediate_values) == [1, 2, 3, 4]
        (parent,) = [run for run in runs_of(paths) if "mlflow.parentRunId" not in run.data.tags]
        assert parent.info.status == "FINISHED"

    def test_images_rankers_and_choices(self, paths, changed, sweep):
        space = {
            "shard.crop": {"type": "float", "low": 0.5, "high": 1.0},
            "rank.ranker": {"type": "categorical", "choices": ["mean_cosine", "lda", "nearest"]},
            "embed.pooling": {"type": "categorical", "choices": ["last", "stages"]},
        }
        study = sweep(changed(rank={"ranker": "lda"}, sweep={"space": space}))
        assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3
        assert study.trials[0].params == {"shard.crop": 1.0, "rank.ranker": "lda", "embed.pooling": "stages"}
        assert len({trial.params["shard.crop"] for trial in study.trials}) == 3

    def test_recall_against_size(self, paths, changed, sweep):
        study = sweep(changed(sweep={"multi_objective": True}))
        for trial in study.trials:
            assert trial.values == [trial.user_attrs["recalls"][0], trial.user_attrs["embedding_dim"]]
        assert len(study.best_trials) >= 1

    def test_values_that_fail_count_and_the_sweep_goes_on(self, paths, changed, sweep):
        space = {"train.learning_rate": {"type": "categorical", "choices": [0.001, 1e30]}}
        study = sweep(changed(train={"warmup_epochs": 0.0}, sweep={"space": space}), trials=6)
        failed = [trial for trial in study.trials if trial.state == TrialState.FAIL]
        assert len(counted(study)) == len(study.trials) == 6
        assert {trial.params["train.learning_rate"] for trial in failed} == {1e30}
        assert all("diverged" in trial.user_attrs["reason"] for trial in failed)
        assert {run.info.status for run in runs_of(paths)} == {"FINISHED", "FAILED"}

    def test_present_settings_that_fail_end_it(self, paths, changed, sweep):
        params = changed(train={"warmup_epochs": 0.0, "learning_rate": 1e30})
        with pytest.raises(SweepError, match=r"present settings.*cannot be trained: the loss has become"):
            sweep(params, workers=1)
        study = study_of(paths)
        assert counted(study) == []
        assert all(trial.state == TrialState.FAIL for trial in study.trials)
        assert {run.info.status for run in runs_of(paths)} == {"KILLED"}


class TestTakingUp:
    def test_a_study_that_is_there(self, paths, params, sweep):
        sweep(params, trials=1)
        with pytest.raises(SweepError, match=r"already\. Go on with it by --resume"):
            sweep(params, trials=2)
        study = sweep(params, trials=3, resume=True)
        assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3
        sweep(params, trials=2, resume=True)
        assert len(study_of(paths).trials) == 3
        assert len([run for run in runs_of(paths) if "mlflow.parentRunId" not in run.data.tags]) == 1

    def test_with_other_settings(self, paths, params, changed, sweep):
        sweep(params, trials=1)
        other = changed(train={"batch_size": 16}, sweep={"k": 5, "space": {
            "views.strength": {"type": "float", "low": 0.0, "high": 0.75}}})  # fmt: skip
        with pytest.raises(SweepError) as caught:
            sweep(other, trials=2, resume=True)
        for words in ("k: 10 then, 5 now", "train.batch_size: 32 then, 16 now", "space.views.strength",
                      "space.encoder.embedding_dim: {'type': 'int', 'low': 4, 'high': 32, 'log': True} then, not"):
            assert words in str(caught.value)
        change_hidden(paths, role=lambda role: "reference")
        with pytest.raises(SweepError, match="the references and the pool: others than then"):
            sweep(changed(train={"batch_size": 32}), trials=2, resume=True)

    def test_after_so_many_seconds(self, paths, params, sweep):
        study = sweep(params, trials=500, timeout=0.01)
        assert counted(study) == []
        assert {run.info.status for run in runs_of(paths)} == {"KILLED"}
        study = sweep(params, trials=2, resume=True)
        assert len(counted(study)) == 2
        assert [trial.user_attrs.get("baseline") for trial in counted(study)].count(True) == 1
        assert not [run for run in runs_of(paths) if run.info.status == "RUNNING"]


class TestWhatCannotBeSwept:
    def test_shards_of_other_settings(self, params, changed, sweep):
        with pytest.raises(ContractError, match=r"shard\.crop 1 .* Run `dvc repro shard`"):
            sweep(changed(shard={"crop": 0.5}))

    def test_one_reference(self, paths, params, sweep):
        first, *_ = ids_of(paths, "reference")
        table = pq.read_table(paths.catalog)
        role = ["hidden" if one == "reference" and name != first else one
                for one, name in zip(table["role"].to_pylist(), table["id"].to_pylist(), strict=True)]
        place = table.schema.get_field_index("role")
        pq.write_table(table.set_column(place, "role", pa.array(role)), paths.catalog)
        with pytest.raises(ContractError, match="no two references"):
            sweep(params)

    def test_a_space_that_is_none(self, paths, changed, sweep):
        with pytest.raises(ParameterError, match=r"views\.strenght"):
            sweep(changed(sweep={"space": {"views.strenght": {"type": "float", "low": 0.0, "high": 1.0}}}))
        assert not paths.sweeps.exists()

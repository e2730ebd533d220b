"""The train stage: what it writes, what it logs, and that a killed one goes on in its run."""

import csv
import json
import shutil

import mlflow
import numpy as np
import pytest
from safetensors.numpy import load, load_file

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.learn.encoder import load_encoder
from mergerscope.learn.monitoring import MonitorSet
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.stages import train
from mergerscope.survey.catalog import read_catalog
from mergerscope.tracking.lineage import file_digest
from mergerscope.tracking.store import experiment_id, initialise

COLUMNS = ["epoch", "pairs", "pairs_accuracy", "simclr", "loss", "alignment", "uniformity", "feature_std",
           "effective_rank", "validation_recall", "validation_average_precision", "learning_rate"]  # fmt: skip


@pytest.fixture(autouse=True)
def no_open_run(monkeypatch):
    monkeypatch.setenv("CI", "true")  # no system metrics
    yield
    while mlflow.active_run() is not None:
        mlflow.end_run()


@pytest.fixture
def project(trained):
    """Eleven galaxies in shards, and no encoder yet."""
    shutil.rmtree(trained.models)
    shutil.rmtree(trained.train_results)
    return trained


@pytest.fixture
def params(trained_params):
    return changed(trained_params, epochs=2, batch_size=4, workers=0, precision="32", device="cpu")


def changed(params: Params, **settings) -> Params:
    return params.model_copy(update={"train": params.train.model_copy(update=settings)})


def outputs(paths: Paths) -> dict[str, bytes]:
    files = [paths.encoder_weights, paths.encoder_config, *paths.train_results.iterdir()]
    return {path.name: path.read_bytes() for path in files}


def runs(paths: Paths) -> list[mlflow.entities.Run]:
    client = initialise(paths)
    return list(client.search_runs([experiment_id(client)]))


def history(paths: Paths) -> list[dict[str, str]]:
    with (paths.train_results / "history.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_what_it_writes(project, params):
    train.run(project, params)
    assert outputs(project).keys() == {
        "encoder.safetensors", "encoder.json", "history.csv", "metrics.json", "samples.safetensors",
    }  # fmt: skip
    encoder = load_encoder(project.encoder_weights, project.encoder_config)
    assert encoder.config.image_size == 16
    rows = history(project)
    assert list(rows[0]) == COLUMNS
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())
    metrics = json.loads((project.train_results / "metrics.json").read_text(encoding="utf-8"))
    assert metrics.keys() == {"validation", "epochs", "images"}
    assert (metrics["epochs"], metrics["images"]) == (2, 11)
    for name in ("trained", "untrained"):
        assert metrics["validation"][name].keys() == {"recall", "average_precision"}
    samples = load_file(project.train_results / "samples.safetensors")
    shapes = {name: values.shape for name, values in samples.items()}
    assert {values.dtype for values in samples.values()} == {np.dtype(np.uint8)}
    galaxies = shapes["views"][0]
    assert shapes == {"views": (galaxies, 6, 3, 16, 16), "pairs_positive": (galaxies, 3, 16, 16),
                      "pairs_negative": (galaxies, 3, 16, 16)}  # fmt: skip


def test_samples_are_packed_as_they_are_however_they_lie_in_memory():
    images = np.arange(120, dtype=np.uint8).reshape(2, 3, 4, 5)
    given = {"views": images.swapaxes(1, 3), "pairs_positive": images[:, :, ::-1], "pairs_negative": images[:0]}
    packed = train._packed(given)
    assert packed == train._packed(dict(reversed(given.items())))
    read = load(packed)
    assert read.keys() == given.keys()
    assert all(np.array_equal(read[name], given[name]) for name in given)


def test_metrics_tell_the_images_that_were_trained_on(project, params):
    train.run(project, changed(params, images="references"))
    metrics = json.loads((project.train_results / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["images"] == 2


def test_what_it_logs(project, params):
    train.run(project, params)
    (run,) = runs(project)
    assert run.info.status == "FINISHED"
    client = initialise(project)
    rows = history(project)
    for name in COLUMNS[1:]:
        logged = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
        assert logged == [(step, pytest.approx(float(row[name]), rel=1e-5)) for step, row in enumerate(rows)]
    validation = json.loads((project.train_results / "metrics.json").read_text(encoding="utf-8"))["validation"]
    for name in ("trained", "untrained"):
        for score in ("recall", "average_precision"):
            assert run.data.metrics[f"final_validation_{score}_{name}"] == pytest.approx(validation[name][score])
    assert run.data.tags["weights_sha256"] == file_digest(project.encoder_weights)
    assert [artifact.path for artifact in client.list_artifacts(run.info.run_id, "tables")] == ["tables/history.csv"]


def test_two_trainings_write_the_same_bytes_and_no_run_ids(project, params):
    train.run(project, params)
    first = outputs(project)
    train.run(project, params)
    assert outputs(project) == first
    for run in runs(project):
        assert not any(run.info.run_id.encode() in content for content in first.values())
    assert not list(project.root.rglob("*.new"))
    assert not [path for path in project.scratch.rglob("*") if path.is_file()]


def test_a_killed_training_goes_on_in_its_run(project, params, monkeypatch):
    train.run(project, params)
    expected = outputs(project)
    measure, epochs = MonitorSet.epoch, []

    def interrupted(self, *given):
        epochs.append(None)
        if len(epochs) == 2:
            raise SystemExit  # as a signal's handler would
        return measure(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(MonitorSet, "epoch", interrupted)
        with pytest.raises(SystemExit):
            train.run(project, params)
    assert sorted(run.info.status for run in runs(project)) == ["FINISHED", "KILLED"]
    train.run(project, params)
    assert outputs(project) == expected
    assert [run.info.status for run in runs(project)] == ["FINISHED", "FINISHED"]
    for run in runs(project):
        logged = initialise(project).get_metric_history(run.info.run_id, "loss")
        assert [point.step for point in logged] == [0, 1]


def test_what_is_not_defined_is_null(project, params):
    table = read_catalog(project.catalog).table
    references = [number for number, role in enumerate(table["role"].to_pylist()) if role == "reference"]
    assert len(references) == 2
    hide(project, references[1])
    train.run(project, params)
    validation = json.loads((project.train_results / "metrics.json").read_text(encoding="utf-8"))["validation"]
    assert validation["trained"] == validation["untrained"] == {"recall": None, "average_precision": None}
    assert [row["validation_recall"] for row in history(project)] == ["", ""]
    (run,) = runs(project)
    assert "validation_recall" not in run.data.metrics


def hide(paths: Paths, row: int) -> None:
    """Make the galaxy of a row of the catalogue a hidden merger."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = read_catalog(paths.catalog).table
    role = table["role"].to_pylist()
    role[row] = "hidden"
    pq.write_table(table.set_column(table.schema.get_field_index("role"), "role", pa.array(role)), paths.catalog)


def test_too_few_images(project, params):
    references = [n for n, role in enumerate(read_catalog(project.catalog).role.tolist()) if role == "reference"]
    hide(project, references[1])
    with pytest.raises(ContractError, match="at least 2 images, got 1"):
        train.run(project, changed(params, images="references"))
    assert [run.info.status for run in runs(project)] == ["FAILED"]
    assert not project.models.exists()


@pytest.mark.parametrize(("which", "stage"), [("catalog", "catalog"), ("manifest", "shard")])
def test_before_the_stages_that_it_needs(project, params, which, stage):
    getattr(project, which).unlink()
    with pytest.raises(MissingInputError, match=f"mergerscope {stage}"):
        train.run(project, params)
    assert runs(project) == []

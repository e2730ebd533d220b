"""A training's run: what it holds, and what becomes of it when the training is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from PIL import Image

from mergerscope.params import Params, parse_params
from mergerscope.paths import Paths
from mergerscope.survey.catalog import read_catalog, write_catalog
from mergerscope.tracking.lineage import file_digest
from mergerscope.tracking.parameters import model_parameters, run_name
from mergerscope.tracking.run import Run
from mergerscope.tracking.runs import training_run
from mergerscope.tracking.store import experiment_id, initialise


def runs(paths: Paths) -> list[mlflow.entities.Run]:
    client = initialise(paths)
    return list(client.search_runs([experiment_id(client)], order_by=["attributes.start_time ASC"]))


def steps(paths: Paths, run_id: str, metric: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in initialise(paths).get_metric_history(run_id, metric)]


def test_a_run_holds_what_a_training_is(paths: Paths, params: Params, tmp_path: Path) -> None:
    figure = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(figure)
    with training_run(paths, params) as run:
        for epoch in (1, 2):
            nothing = {"validation_recall": None, "alignment": float("nan")}
            run.log_epoch(epoch, {"epoch": epoch, "loss": 3.0 - epoch, **nothing})
        run.log_summary({"average_precision": 0.5})
        run.log_figure(figure, "loss-curve")
        run.log_figure(figure)
        run.log_table(paths.train_results / "history.csv")
    (found,) = runs(paths)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == run_name(params)
    assert found.data.params == model_parameters(params)
    assert steps(paths, run.id, "loss") == [(1, 2.0), (2, 1.0)]
    assert steps(paths, run.id, "average_precision") == [(2, 0.5)]
    assert found.data.metrics.keys() == {"loss", "average_precision"}
    folder = paths.root / "mlartifacts" / run.id / "artifacts"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert files == {"figures/loss-curve.png", "figures/a.png", "tables/history.csv"}
    tags = found.data.tags
    assert tags["weights_sha256"] == file_digest(paths.encoder_weights)
    assert tags["config_sha256"] == file_digest(paths.encoder_config)
    assert tags["mlflow.source.name"] == "mergerscope train"
    assert "11 images of 3 x 16 x 16" in tags["mlflow.note.content"]


def test_the_images_are_an_input_by_digest_and_without_a_machine_path(paths: Paths, params: Params) -> None:
    with training_run(paths, params):
        pass
    ((given,),) = [run.inputs.dataset_inputs for run in runs(paths)]
    assert given.dataset.name == "shards"
    assert given.dataset.digest == file_digest(paths.manifest, "md5")
    assert json.loads(given.dataset.source) == {"uri": "shards"}
    assert json.loads(given.dataset.profile) == {"galaxies": 11}
    (features,) = json.loads(json.loads(given.dataset.schema)["mlflow_tensorspec"]["features"])
    assert features["tensor-spec"] == {"dtype": "uint8", "shape": [-1, 3, 16, 16]}


def test_a_finished_training_is_followed_by_a_new_run(paths: Paths, params: Params) -> None:
    for _ in range(2):
        with training_run(paths, params):
            pass
    assert [run.info.status for run in runs(paths)] == ["FINISHED", "FINISHED"]


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_broken_training_says_so_and_goes_on_in_its_run(
    paths: Paths, params: Params, error: type[BaseException], status: str
) -> None:
    with pytest.raises(error), training_run(paths, params) as first:  # noqa: PT012
        first.log_epoch(1, {"loss": 2.0})
        raise error
    assert [run.info.status for run in runs(paths)] == [status]
    with training_run(paths, params) as second:
        assert second.id == first.id
        assert runs(paths)[0].info.status == "RUNNING"
        second.log_epoch(1, {"loss": 9.0})
        second.log_epoch(2, {"loss": 1.0})
    assert [run.info.status for run in runs(paths)] == ["FINISHED"]
    assert steps(paths, first.id, "loss") == [(1, 2.0), (2, 1.0)]


def kill_a_training(paths: Paths) -> str:
    """Kill a process in its first epoch without any chance to clean up; return its run."""
    code = (
        "import os, signal, sys; from pathlib import Path; from mergerscope.paths import Paths\n"
        "from mergerscope.params import load_params; from mergerscope.tracking.runs import training_run\n"
        "paths = Paths(Path(sys.argv[1]))\n"
        "with training_run(paths, load_params(paths.params)) as run:\n"
        "    run.log_epoch(1, {'loss': 2.0}); print(run.id, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run([sys.executable, "-c", code, str(paths.root)], capture_output=True, text=True, check=False)
    assert (result.stderr, result.returncode) == ("", -9)
    return result.stdout.strip()


def test_a_killed_training_goes_on_in_its_run(paths: Paths) -> None:
    paths.params.write_text("train: {epochs: 2}\n", encoding="utf-8")
    killed = kill_a_training(paths)
    assert [run.info.status for run in runs(paths)] == ["RUNNING"]
    with training_run(paths, parse_params({"train": {"epochs": 2}})) as run:
        assert run.id == killed
    assert [run.info.status for run in runs(paths)] == ["FINISHED"]
    assert not (paths.scratch / "train" / "run.json").exists()


def test_a_killed_training_that_never_goes_on_does_not_stay_running(paths: Paths) -> None:
    paths.params.write_text("train: {epochs: 2}\n", encoding="utf-8")
    killed = kill_a_training(paths)
    with training_run(paths, parse_params({"train": {"epochs": 3}})) as run:
        assert run.id != killed
    assert {found.info.run_id: found.info.status for found in runs(paths)} == {killed: "KILLED", run.id: "FINISHED"}


def test_other_images_make_another_run(paths: Paths, params: Params) -> None:
    with pytest.raises(KeyboardInterrupt), training_run(paths, params) as first:
        raise KeyboardInterrupt
    table = read_catalog(paths.catalog).table
    place = table.schema.get_field_index("role")
    roles = ["reference" if role == "hidden" else role for role in table["role"].to_pylist()]
    write_catalog(table.set_column(place, "role", [roles]), paths.catalog)
    with training_run(paths, params) as second:
        assert second.id != first.id


@pytest.mark.parametrize("change", [
    {"target": {"column": "merger", "threshold": 0.85}}, {"shard": {"crop": 0.6}}, {"train": {"epochs": 3}},
    {"objective": {"simclr": {"weight": 0.0}}}, {"encoder": {"depth": 34}}, {"views": {"strength": 0.1}},
])  # fmt: skip
def test_whatever_a_run_tells_otherwise_makes_another_run(paths: Paths, change: dict[str, dict[str, object]]) -> None:
    """MLflow refuses to change a parameter of a run, and checkpoints of another training are of no use."""
    before, after = Params(), parse_params(change)
    assert model_parameters(before) != model_parameters(after)
    with pytest.raises(KeyboardInterrupt), training_run(paths, before) as first:
        raise KeyboardInterrupt
    with training_run(paths, after) as second:
        assert second.id != first.id


def test_a_resume_point_of_another_store_or_of_no_use_is_ignored(paths: Paths, params: Params) -> None:
    place = paths.scratch / "train" / "run.json"
    place.parent.mkdir(parents=True)
    for text in ("", "[]", '{"run_id": "0"}', '{"run_id": 3, "training": null}'):
        place.write_text(text, encoding="utf-8")
        with training_run(paths, params):
            pass
    assert len(runs(paths)) == 4


def test_a_deleted_run_is_not_resumed(paths: Paths, params: Params) -> None:
    with pytest.raises(KeyboardInterrupt), training_run(paths, params) as first:
        raise KeyboardInterrupt
    initialise(paths).delete_run(first.id)
    with training_run(paths, params) as second:
        assert second.id != first.id


def test_a_finished_run_can_be_logged_to(paths: Paths, params: Params) -> None:
    with training_run(paths, params) as run:
        run.log_epoch(2, {"loss": 1.0})
    later = Run(initialise(paths), run.id)
    later.log_summary({"precision_at_100": 0.25})
    assert later.last_epoch == 2
    (found,) = runs(paths)
    assert found.info.status == "FINISHED"
    assert found.data.metrics["precision_at_100"] == 0.25

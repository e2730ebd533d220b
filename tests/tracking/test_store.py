"""The store: where it is, how it is first made, and that it follows its project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mergerscope.errors import TrackingError
from mergerscope.paths import Paths
from mergerscope.tracking.store import EXPERIMENT, experiment_id, initialise, tracking_uri


def test_the_default_is_a_database_in_the_root_whatever_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    client = initialise(Paths(tmp_path))
    assert client.tracking_uri == tracking_uri(Paths(tmp_path)) == f"sqlite:///{tmp_path}/mlflow.db"
    experiment = client.get_experiment(experiment_id(client))
    assert experiment.artifact_location == (tmp_path / "mlartifacts").as_uri()
    assert not list(elsewhere.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "mlflow.db"]


def test_an_experiment_of_dvc_uses_the_store_of_the_real_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "real"))
    assert tracking_uri(Paths(tmp_path / "copy")) == f"sqlite:///{tmp_path}/real/mlflow.db"


def test_the_variable_names_another_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/team/tracking.sqlite")
    initialise(Paths(tmp_path))
    assert (tmp_path / "team" / "tracking.sqlite").is_file()
    assert not (tmp_path / "mlflow.db").exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    assert tracking_uri(Paths(tmp_path)) == "https://mlflow.example.org"


def test_many_processes_may_start_cold(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from mergerscope.paths import Paths\n"
        "from mergerscope.tracking.store import experiment_id, initialise\n"
        "client = initialise(Paths(Path(sys.argv[1])))\n"
        "run = client.create_run(experiment_id(client)); client.log_metric(run.info.run_id, 'loss', 1.0)\n"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [(worker.communicate()[1], worker.returncode) for worker in workers] == [("", 0)] * 3
    client = initialise(Paths(tmp_path))
    assert len(client.search_runs([experiment_id(client)])) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db"]


def test_a_deleted_experiment_comes_back(paths: Paths) -> None:
    client = initialise(paths)
    client.delete_experiment(experiment_id(client))
    assert initialise(paths).get_experiment_by_name(EXPERIMENT).lifecycle_stage == "active"


def test_a_moved_project_keeps_its_artifacts(paths: Paths, tmp_path: Path) -> None:
    was, now = paths.root, tmp_path / "now %41"
    client = initialise(paths)
    run = client.create_run(experiment_id(client))
    client.log_text(run.info.run_id, "found", "note.txt")
    was.rename(now)
    client = initialise(Paths(now))
    (moved,) = client.search_runs([experiment_id(client)])
    assert moved.info.artifact_uri == (now / "mlartifacts" / moved.info.run_id / "artifacts").as_uri()
    new = client.create_run(experiment_id(client))
    client.log_text(new.info.run_id, "new", "note.txt")
    notes = [now / "mlartifacts" / run_id / "artifacts" / "note.txt" for run_id in (moved.info.run_id, new.info.run_id)]
    assert [note.read_text(encoding="utf-8") for note in notes] == ["found", "new"]
    assert not was.exists()


def test_a_location_chosen_on_purpose_is_left_alone(paths: Paths, tmp_path: Path) -> None:
    chosen = tmp_path / "big disk"
    chosen.mkdir()
    client = initialise(paths)
    client.rename_experiment(experiment_id(client), "old")
    client.create_experiment(EXPERIMENT, artifact_location=chosen.as_uri())
    client = initialise(paths)
    assert client.get_experiment(experiment_id(client)).artifact_location == chosen.as_uri()


def test_a_store_that_cannot_be_used_is_told_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database at all, but long enough to have a header" * 10)
    with pytest.raises(TrackingError, match=r"mlflow\.db cannot be used"):
        initialise(Paths(tmp_path))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9.*MLFLOW_TRACKING_URI"):
        initialise(Paths(tmp_path))

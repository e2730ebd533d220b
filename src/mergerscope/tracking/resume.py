"""Which run a killed training belongs to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import RunStatus
from mlflow.exceptions import MlflowException

from mergerscope.files import write_text
from mergerscope.paths import Paths

__all__ = ["ResumePoint"]


class ResumePoint:
    """The id of the run in progress, beside the checkpoints from which its training resumes.

    It is kept out of DVC's outputs, which must not change with the run, and goes when the run has finished.

    Args:
        paths: of the project.
        client: of the store in use.
        training: the key of the training, see `mergerscope.learn.resume_key`.
    """

    def __init__(self, paths: Paths, client: mlflow.MlflowClient, training: str) -> None:
        self._file: Path = paths.scratch / "train" / "run.json"
        self._client = client
        self._key = {"training": training, "tracking_uri": client.tracking_uri}

    def find(self) -> str | None:
        """Return the id of an unfinished run of the same training in the same store.

        An unfinished run of another training will never go on: it is marked as killed and forgotten.
        """
        try:
            kept: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            run = self._client.get_run(str(kept.pop("run_id")))
        except (OSError, ValueError, KeyError, TypeError, MlflowException):
            return None  # a file of no use is no reason not to train
        if run.info.lifecycle_stage != "active":
            return None
        if kept == self._key:
            return str(run.info.run_id)
        running = run.info.status == RunStatus.to_string(RunStatus.RUNNING)
        if running and kept.get("tracking_uri") == self._client.tracking_uri:
            self._client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.KILLED))
        return None

    def keep(self, run_id: str) -> None:
        """Remember the run until `forget`."""
        write_text(self._file, json.dumps({**self._key, "run_id": run_id}, indent=2) + "\n")

    def forget(self) -> None:
        """The run has finished: the next training is a new one."""
        self._file.unlink(missing_ok=True)

"""What can be logged to one run of MLflow, whether it is in progress or long finished."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mergerscope.errors import TrackingError
from mergerscope.tracking.lineage import file_digest

__all__ = ["CONFIG_TAG", "WEIGHTS_TAG", "Run", "encoder_tags"]

WEIGHTS_TAG = "weights_sha256"
CONFIG_TAG = "config_sha256"

EPOCH_METRIC = "loss"
"""The metric that every epoch has: by it a resumed run knows which epochs it holds."""


def encoder_tags(weights: Path, config: Path) -> dict[str, str]:
    """Return the tags that identify an encoder by the content of its two files."""
    return {WEIGHTS_TAG: file_digest(weights), CONFIG_TAG: file_digest(config)}


class Run:
    """One run, by its id; its status is the business of who started it.

    Args:
        client: Of the store that holds the run.
        run_id: The run's id.
    """

    def __init__(self, client: mlflow.MlflowClient, run_id: str) -> None:
        self._client = client
        self._id = run_id
        known = EPOCH_METRIC in client.get_run(run_id).data.metrics
        self._epochs = {metric.step for metric in client.get_metric_history(run_id, EPOCH_METRIC)} if known else set()

    @property
    def id(self) -> str:
        """The run's id in the store."""
        return self._id

    def log_epoch(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Log the metrics of one epoch, at the epoch as step.

        An epoch that the run already holds is skipped: a training that was killed between its epoch's end and
        its checkpoint does that epoch again. Metrics without a value are left out.

        Raises:
            TrackingError: the store does not take them now.
        """
        if epoch in self._epochs:
            return
        try:
            # As a metric, the epoch would be a chart of a straight line.
            self._log_metrics({name: value for name, value in metrics.items() if name != "epoch"}, epoch)
        except MlflowException as error:
            raise TrackingError(
                f"The MLflow store {self._client.tracking_uri} does not take the metrics of epoch {epoch}: {error}"
            ) from error
        self._epochs.add(epoch)

    def log_summary(self, metrics: Mapping[str, float | None]) -> None:
        """Log metrics that stand for the whole run, at the step of its last epoch; no value, no metric."""
        self._log_metrics(metrics, self.last_epoch)

    @property
    def last_epoch(self) -> int:
        """The last epoch logged, or 0."""
        return max(self._epochs, default=0)

    def log_figure(self, path: Path, name: str | None = None) -> None:
        """Keep an image file as ``figures/<name>``, under its own name unless another is given."""
        self.log_file(path, "figures", name)

    def log_table(self, path: Path, name: str | None = None) -> None:
        """Keep a CSV, Parquet or JSON file as ``tables/<name>``."""
        self.log_file(path, "tables", name)

    def log_file(self, path: Path, folder: str, name: str | None = None) -> None:
        """Keep any file as ``<folder>/<name>``, under its own name unless another is given."""
        if name is None or name == path.name:
            self._keep(path, folder)
            return
        with tempfile.TemporaryDirectory() as place:
            # MLflow takes an artifact's name from its file.
            renamed = Path(place) / (name if name.endswith(path.suffix) else name + path.suffix)
            shutil.copyfile(path, renamed)
            self._keep(renamed, folder)

    def log_dataset(
        self, name: str, digest: str, image_shape: Sequence[int], galaxies: int, dtype: str = "uint8"
    ) -> None:
        """Record the images that went in, by digest.

        Args:
            name: Path of the data in the project.
            digest: Of its content (36 characters at most).
            image_shape: C, H, W of one image.
            galaxies: Number of images.
            dtype: Of their pixels.
        """
        features = [{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, *image_shape]}}]
        dataset = Dataset(
            name=name, digest=digest, source_type="local", source=json.dumps({"uri": name}),
            schema=json.dumps({"mlflow_tensorspec": {"features": json.dumps(features), "targets": None}}),
            profile=json.dumps({"galaxies": galaxies}),
        )
        context = InputTag("mlflow.data.context", "training")
        self._client.log_inputs(self._id, [DatasetInput(dataset, [context])])

    def log_parameters(self, parameters: Mapping[str, str]) -> None:
        """Log parameters; one that the run already holds may not change."""
        self._client.log_batch(self._id, params=[Param(name, value) for name, value in parameters.items()])

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        self._client.log_batch(self._id, tags=[RunTag(name, value) for name, value in tags.items()])

    def _log_metrics(self, metrics: Mapping[str, float | None], step: int) -> None:
        now = int(time.time() * 1000)
        given = {name: float(value) for name, value in metrics.items() if value is not None}
        self._client.log_batch(
            self._id,
            metrics=[Metric(name, value, now, step) for name, value in given.items() if not math.isnan(value)],
        )

    def _keep(self, path: Path, folder: str) -> None:
        # The client's own call remembers a run's place by its id alone: in a process that works on two copies of a
        # project, the second one's files would go to the first.
        place = self._client.get_run(self._id).info.artifact_uri
        repository = get_artifact_repository(place, tracking_uri=self._client.tracking_uri)
        repository.log_artifact(str(path), folder)  # type: ignore[no-untyped-call]

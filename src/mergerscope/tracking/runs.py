"""One MLflow run a training: begun, resumed after a kill, ended as what it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
from mlflow.entities import RunStatus

from mergerscope.counts import plural
from mergerscope.learn.resume_key import training_key
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.shards.manifest import Manifest
from mergerscope.survey.catalog_file import read_catalog
from mergerscope.tracking.lineage import digest_of, lineage
from mergerscope.tracking.parameters import model_parameters, run_name
from mergerscope.tracking.resume import ResumePoint
from mergerscope.tracking.run import Run, encoder_tags
from mergerscope.tracking.store import experiment_id, initialise

__all__ = ["log_start", "run_tags", "training_run"]


@contextmanager
def training_run(paths: Paths, params: Params, *, name: str | None = None) -> Iterator[Run]:
    """Open the MLflow run of one training, and log what it starts from.

    A training that was killed or failed goes on in the run that it had, if it starts from the same, by the key that
    also names its checkpoints (`mergerscope.learn.resume_key`). The run ends as FINISHED, as FAILED on an error, or as
    KILLED on an interrupt. The encoder's files must be written inside the block: by their digests, set as tags at its
    end, `register` finds the run.

    Args:
        paths: Of the project.
        params: All parameters; those that shape the model are logged.
        name: The run's name, by default `run_name`.

    Raises:
        MissingInputError: catalogue or shards are not there.
        TrackingError: the store cannot be used.
    """
    client = initialise(paths)
    point = ResumePoint(paths, client, training_key(params, Manifest.load(paths.manifest), read_catalog(paths.catalog)))
    started = mlflow.start_run(
        run_id=point.find(), experiment_id=experiment_id(client), run_name=name or run_name(params),
        tags=run_tags(paths, "train"), log_system_metrics="CI" not in os.environ,
    )
    point.keep(started.info.run_id)
    try:
        run = Run(client, started.info.run_id)
        log_start(run, paths, params)
        yield run
        run.tag(encoder_tags(paths.encoder_weights, paths.encoder_config))
    except BaseException as error:
        killed = isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit)
        mlflow.end_run(RunStatus.to_string(RunStatus.KILLED if killed else RunStatus.FAILED))
        raise
    mlflow.end_run()
    point.forget()


def log_start(run: Run, paths: Paths, params: Params) -> None:
    """Log what a training starts from: parameters, and, where the shards are there, images and a note on them."""
    run.log_parameters(model_parameters(params))
    if not paths.manifest.is_file():
        return
    manifest = Manifest.load(paths.manifest)
    shards = paths.shards.relative_to(paths.root).as_posix()
    digest = digest_of(paths, shards)
    if digest is not None:
        run.log_dataset(shards, digest, manifest.image_shape, manifest.total, manifest.dtype)
    run.tag({"mlflow.note.content": _note(params, manifest)})


def run_tags(paths: Paths, stage: str) -> dict[str, str]:
    """Return a run's first tags: its lineage, and the same commit and verb where MLflow's UI looks for them."""
    tags = lineage(paths, stage) | {"mlflow.source.name": f"mergerscope {stage}", "mlflow.source.type": "LOCAL"}
    return tags | ({"mlflow.source.git.commit": tags["git.commit"]} if "git.commit" in tags else {})


def _note(params: Params, manifest: Manifest) -> str:
    channels, height, width = manifest.image_shape
    which = "" if params.train.images == "all" else " (the reference mergers alone)"
    target = params.target
    return (
        f"Encoder trained without labels on {plural(manifest.total, 'image')} of {channels} x {height} x {width}"
        f"{which}, objective **{params.objective.name}**. Votes ({target.column} above {target.threshold:g}) serve the "
        "validation folds only. `evaluate`, `rank` and `report` log to this run as well."
    )

"""The run behind an encoder: the one that trained it, or, where this store lacks it, one made from its files."""

from __future__ import annotations

import csv

import mlflow
from mlflow.entities import RunStatus

from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.tracking.parameters import run_name
from mergerscope.tracking.run import Run, encoder_tags
from mergerscope.tracking.runs import log_start, run_tags
from mergerscope.tracking.store import experiment_id

__all__ = ["run_of"]

RESTORED = {"restored": "true"}
"""Tag of a run that was not logged while it trained; its commit and versions are those of its restoring."""


def run_of(client: mlflow.MlflowClient, paths: Paths, params: Params) -> Run:
    """Return the latest run that made ``models/encoder.*``, found by the files' digests.

    On a fresh clone the encoder comes from DVC's cache, and the store is empty: then a run of the same name,
    parameters and epochs is written and tagged ``restored``.
    """
    digests = encoder_tags(paths.encoder_weights, paths.encoder_config)
    words = " and ".join(f"tags.{name} = '{value}'" for name, value in digests.items())
    found = client.search_runs(
        [experiment_id(client)], words, max_results=1, order_by=["attributes.start_time DESC"]
    )
    if found:
        return Run(client, found[0].info.run_id)
    tags = run_tags(paths, "register") | digests | RESTORED
    created = client.create_run(experiment_id(client), run_name=run_name(params), tags=tags)
    run = Run(client, created.info.run_id)
    log_start(run, paths, params)
    _log_history(run, paths)
    client.set_terminated(run.id, RunStatus.to_string(RunStatus.FINISHED))
    return run


def _log_history(run: Run, paths: Paths) -> None:
    path = paths.train_results / "history.csv"
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            epoch = int(float(line.pop("epoch")))
            run.log_epoch(epoch, {name: float(value) for name, value in line.items() if value})

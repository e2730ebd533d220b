"""The runs of a sweep: a parent for the study and a child for each trial, many of them open at once."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import mlflow
from mlflow.entities import Run as Kept
from mlflow.entities import RunStatus
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.tracking.parameters import model_parameters
from mergerscope.tracking.run import Run
from mergerscope.tracking.runs import run_tags
from mergerscope.tracking.store import experiment_id, initialise

__all__ = ["STATE_TAG", "STUDY_TAG", "TRIAL_TAG", "State", "StudyRuns"]

STUDY_TAG = "mergerscope.study"
TRIAL_TAG = "optuna.trial_number"
STATE_TAG = "optuna.state"
REASON_TAG = "reason"
CONTINUES_TAG = "mergerscope.continues"
"""On a parent that stands for another one, which this store does not hold."""

SETTLE_S = 0.5
TRIES = 3

LONGEST = 500
"""Characters of a parameter's value: what every MLflow server takes."""

State = Literal["COMPLETE", "PRUNED", "FAIL"]
STATUS: dict[State, int] = {
    "COMPLETE": RunStatus.FINISHED,
    # A pruned trial did what it should: as FAILED or KILLED, MLflow's pages would mark it in red.
    "PRUNED": RunStatus.FINISHED,
    "FAIL": RunStatus.FAILED,
}


class StudyRuns:
    """The parent run of one study, and what is done to its children.

    Everything goes by ids, and nothing through MLflow's current run, because children of several trials are open at
    once. Several processes may hold the same parent.
    """

    def __init__(self, client: mlflow.MlflowClient, run_id: str, params: Params, tags: Mapping[str, str]) -> None:
        self._client = client
        self._parent = Run(client, run_id)
        self._params = params
        self._tags = tags
        self._study = tags[STUDY_TAG]

    @classmethod
    def open(
        cls, paths: Paths, study: str, params: Params, space: Mapping[str, Any], run_id: str | None = None
    ) -> Self:
        """Begin the parent run of a study, or take up the one that it has.

        Args:
            paths: Of the project.
            study: Its name.
            params: The present parameters; those that shape the model are logged.
            space: What is searched, by dotted name; each is logged as a parameter ``space.<name>``.
            run_id: The parent as the study remembers it; None for a new study. It is set to RUNNING again. A store
                that does not hold it (another machine's, or a new one) gets a parent of its own, which is found again
                by this id: the study should keep the id of its first parent, or a key of its own to pass instead. So
                processes that open a parent at once get the same one.

        Raises:
            TrackingError: the store cannot be used.
        """
        client = initialise(paths)
        # What training reads is what a sweep reads; asking git and digests once is enough.
        tags = run_tags(paths, "train") | {"mlflow.source.name": "mergerscope sweep", STUDY_TAG: study}
        known = None if run_id is None else _known(client, run_id)
        if known is None:
            known = _begin_parent(client, tags, run_id)
        if known.info.status != RunStatus.to_string(RunStatus.RUNNING):
            client.update_run(known.info.run_id, status=RunStatus.to_string(RunStatus.RUNNING))
        found = cls(client, known.info.run_id, params, tags)
        told = {f"space.{name}": _shortened(str(entry)) for name, entry in space.items()}
        wanted = {name: _shortened(value) for name, value in model_parameters(params).items()} | told
        found._log_missing(wanted)
        return found

    @property
    def id(self) -> str:
        """Of the parent run."""
        return self._parent.id

    def _log_missing(self, wanted: Mapping[str, str]) -> None:
        # A parameter cannot change, and the first start of the study is what the parent tells of.
        for attempt in range(1, TRIES + 1):
            there = self._client.get_run(self.id).data.params
            try:
                self._parent.log_parameters({name: value for name, value in wanted.items() if name not in there})
                return
            except MlflowException:
                # Of processes that log the same ones at the same moment, the store refuses all but one.
                if attempt == TRIES:
                    raise
                time.sleep(SETTLE_S)

    def begin(self, trial: int, values: Mapping[str, Any], params: Params | None = None, attempt: int = 0) -> Run:
        """Begin the child run of a trial.

        Args:
            trial: Its number in the study.
            values: What the study set, by dotted name.
            params: With which it trains; None where the values do not go together, and it will fail of that.
            attempt: How many trials of the same values were lost before this one.

        Returns:
            The run, for its epochs and its id; `end` ends it.
        """
        again = f", attempt {attempt + 1}" if attempt else ""
        created = self._client.create_run(
            experiment_id(self._client), run_name=f"{self._study} trial {trial}{again}",
            tags={**self._tags, MLFLOW_PARENT_RUN_ID: self.id, TRIAL_TAG: str(trial)},
        )
        run = Run(self._client, created.info.run_id)
        told = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
        told = model_parameters(self._params) | told if params is None else told | model_parameters(params)
        run.log_parameters({name: _shortened(value) for name, value in told.items()})
        return run

    def end(
        self, run_id: str, state: State, metrics: Mapping[str, float | None], reason: str = "", killed: bool = False
    ) -> None:
        """End a child run.

        Args:
            run_id: Of the child.
            state: Of its trial in Optuna; kept as the tag ``optuna.state``. COMPLETE and PRUNED are FINISHED.
            metrics: Of the whole trial; None and NaN are left out.
            reason: Why it failed.
            killed: Whether it failed through no fault of its values: KILLED, not FAILED.
        """
        run = Run(self._client, run_id)
        run.log_summary(metrics)
        run.tag({STATE_TAG: state} | ({REASON_TAG: reason} if reason else {}))
        status = RunStatus.KILLED if killed else STATUS[state]
        self._client.set_terminated(run_id, RunStatus.to_string(status))

    def open_children(self) -> dict[str, int]:
        """Return the children that are in progress: number of the trial by id of the run."""
        words = (
            f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self.id}' and "
            f"attributes.status = '{RunStatus.to_string(RunStatus.RUNNING)}'"
        )
        return {run.info.run_id: int(run.data.tags[TRIAL_TAG]) for run in _search(self._client, words)}

    def keep(self, files: Sequence[Path]) -> None:
        """Keep files with the parent: pictures in ``figures/``, all others in ``study/``."""
        for file in files:
            self._parent.log_file(file, "figures" if file.suffix == ".png" else "study")

    def finish(self, status: Literal["FINISHED", "FAILED", "KILLED"], metrics: Mapping[str, float | None]) -> None:
        """End the parent, with what stands for the study as a whole; `open` takes it up again."""
        self._parent.log_summary(metrics)
        self._client.set_terminated(self.id, status)


def _known(client: mlflow.MlflowClient, run_id: str) -> Kept | None:
    """Return the parent of that id, or the one that this store holds in its place."""
    try:
        run = client.get_run(run_id)
    except MlflowException:
        run = None
    if run is not None and run.info.lifecycle_stage == "active":
        return run
    return _replacement(client, run_id)


def _replacement(client: mlflow.MlflowClient, run_id: str) -> Kept | None:
    found = _search(client, f"tags.`{CONTINUES_TAG}` = '{run_id}'")
    return min(found, key=lambda run: (run.info.start_time, run.info.run_id), default=None)


def _begin_parent(client: mlflow.MlflowClient, tags: Mapping[str, str], continues: str | None) -> Kept:
    study = tags[STUDY_TAG]
    note = f"Sweep **{study}**: a child run for each trial. Its figures and its report are among the artifacts."
    tags = {**tags, "mlflow.note.content": note}
    if continues is not None:
        tags[CONTINUES_TAG] = continues
    created = client.create_run(experiment_id(client), run_name=f"sweep {study}", tags=tags)
    if continues is None:
        return created
    # Another process may do the same at this moment; when both are there for all to see, all agree on the first.
    time.sleep(SETTLE_S)
    first = _replacement(client, continues) or created
    if first.info.run_id != created.info.run_id:
        client.delete_run(created.info.run_id)
    return first


def _search(client: mlflow.MlflowClient, words: str) -> list[Kept]:
    found: list[Kept] = []
    token = None
    while True:
        page = client.search_runs([experiment_id(client)], words, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _shortened(value: str) -> str:
    return value if len(value) <= LONGEST else value[: LONGEST - 3] + "..."

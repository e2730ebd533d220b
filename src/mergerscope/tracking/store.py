"""The tracking store: which one it is, and how it first comes into being.

Without settings it is ``mlflow.db`` with ``mlartifacts/`` beside it in the project's root; the variable
``MLFLOW_TRACKING_URI`` names any other database or server.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import unquote

import mlflow
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy.exc import SQLAlchemyError

from mergerscope.errors import TrackingError
from mergerscope.paths import Paths
from mergerscope.tracking.relocate import relocate

__all__ = ["ALIAS", "EXPERIMENT", "MODEL_NAME", "experiment_id", "initialise", "tracking_uri"]

EXPERIMENT = "mergerscope"
MODEL_NAME = "mergerscope-encoder"
ALIAS = "champion"

VARIABLE = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"


def tracking_uri(paths: Paths) -> str:
    """Return the address of the tracking store: ``MLFLOW_TRACKING_URI``, else the project's own database.

    Always absolute, whatever the working directory.
    """
    uri = os.environ.get(VARIABLE) or _sqlite_uri(paths.tracking_database)
    database = _sqlite_file(uri)
    return uri if database is None else _sqlite_uri(database)


def initialise(paths: Paths) -> mlflow.MlflowClient:
    """Point MLflow at the project's store, make what is missing of it, and return a client.

    Safe to call from several processes at once, also when nothing exists yet.

    Raises:
        TrackingError: the store cannot be reached or is of an incompatible MLflow version.
    """
    uri = tracking_uri(paths)
    database = _sqlite_file(uri)
    try:
        if database is not None and not database.exists():
            _create_database(database)
        if database is not None:
            relocate(database, EXPERIMENT, _artifact_root(database))
        _point_mlflow_at(uri)
        client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        _ensure_experiment(client, database)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise TrackingError(
            f"The MLflow store {uri} cannot be used: {error}. If it is a server, check that it runs and that "
            "MLFLOW_TRACKING_URI is right; unset the variable to use the project's own database."
        ) from error
    return client


def experiment_id(client: mlflow.MlflowClient) -> str:
    """Return the id of the experiment that holds this project's runs; `initialise` has made it."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        raise TrackingError(f"The MLflow store {client.tracking_uri} holds no experiment named {EXPERIMENT}.")
    return str(experiment.experiment_id)


def _point_mlflow_at(uri: str) -> None:
    # MLflow also writes the address into the environment, where it would outlive this project as a user's wish.
    wish = os.environ.get(VARIABLE)
    mlflow.set_tracking_uri(uri)
    if wish is None:
        os.environ.pop(VARIABLE, None)


def _sqlite_file(uri: str) -> Path | None:
    return Path(unquote(uri.removeprefix(SQLITE))).resolve() if uri.startswith(SQLITE) else None


def _sqlite_uri(database: Path) -> str:
    # Only what has a meaning of its own in an address is escaped, so that people can read it.
    return SQLITE + str(database.resolve()).replace("%", "%25").replace("?", "%3F")


def _artifact_root(database: Path) -> str:
    return (database.parent / "mlartifacts").as_uri()


def _create_database(database: Path) -> None:
    """Make the database under a private name and put it in place whole.

    MLflow makes its tables step by step in place: two processes that start at once break each other, and a kill
    half-way leaves a database that never works again (mlflow 3.17, tried). A link is made by one process only.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mlflow.db.", dir=database.parent) as folder:
        fresh = Path(folder) / database.name
        store = SqlAlchemyStore(_sqlite_uri(fresh), _artifact_root(database))  # type: ignore[no-untyped-call]
        store.create_experiment(EXPERIMENT, _artifact_root(database))  # type: ignore[no-untyped-call]
        store.engine.dispose()
        try:
            database.hardlink_to(fresh)
        except FileExistsError:
            return


def _ensure_experiment(client: mlflow.MlflowClient, database: Path | None) -> None:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        try:
            client.create_experiment(
                EXPERIMENT, artifact_location=None if database is None else _artifact_root(database)
            )
        except MlflowException:
            # Another process was faster: then it is there now.
            if client.get_experiment_by_name(EXPERIMENT) is None:
                raise
    elif experiment.lifecycle_stage == LifecycleStage.DELETED:
        # Deleted in the UI, but still in the way of a new one of that name.
        client.restore_experiment(experiment.experiment_id)

"""The champion: the model that every later stage works with, and the run that made it."""

from __future__ import annotations

import mlflow
from mlflow.exceptions import MlflowException

from mergerscope.errors import ContractError, MissingInputError, TrackingError
from mergerscope.learn.encoder import Encoder
from mergerscope.paths import Paths
from mergerscope.tracking.receipt import Receipt
from mergerscope.tracking.registry import champion_version
from mergerscope.tracking.run import Run
from mergerscope.tracking.store import ALIAS, MODEL_NAME, initialise, tracking_uri

__all__ = ["champion_run", "load_champion"]

AGAIN = "Run `mergerscope register`, or `dvc repro`."


def load_champion(paths: Paths) -> tuple[Encoder, Receipt]:
    """Load the model that the alias stands for from the registry, and check it against the receipt.

    Returns:
        The encoder, in evaluation mode, and the receipt ``models/champion.json``.

    Raises:
        MissingInputError: there is no receipt.
        ContractError: the alias stands for another model than the receipt tells, or its files have changed.
        TrackingError: the store holds no champion, or cannot be used.
    """
    receipt = Receipt.load(paths.champion)
    initialise(paths)
    uri = f"models:/{MODEL_NAME}@{ALIAS}"
    try:
        model = mlflow.pyfunc.load_model(uri).unwrap_python_model()
    except (MlflowException, OSError, MissingInputError) as error:
        raise TrackingError(f"{uri} cannot be loaded from {tracking_uri(paths)}: {error}. {AGAIN}") from error
    found = (model.weights_sha256, model.config_sha256)
    wanted = (receipt.weights_sha256, receipt.config_sha256)
    if found != wanted:
        raise ContractError(
            f"{uri} in {tracking_uri(paths)} is another model than {paths.champion} tells: got weights and "
            f"configuration {' and '.join(x[:12] for x in found)}, expected "
            f"{' and '.join(x[:12] for x in wanted)}. {AGAIN}"
        )
    encoder: Encoder = model.encoder
    return encoder, receipt


def champion_run(paths: Paths) -> Run:
    """Return the run that made the champion, so that later stages log to it.

    Raises:
        TrackingError: the store holds no champion or not its run, or cannot be used.
    """
    client = initialise(paths)
    version = champion_version(client)
    try:
        if version is None:
            raise TrackingError(f"{tracking_uri(paths)} holds no model {MODEL_NAME}@{ALIAS}. {AGAIN}")
        return Run(client, str(version.run_id))
    except MlflowException as error:
        raise TrackingError(
            f"The run of {MODEL_NAME}@{ALIAS} is not in {tracking_uri(paths)}: {error}. {AGAIN}"
        ) from error

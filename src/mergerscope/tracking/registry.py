"""The model registry: one version a content, loaded back and tried before it becomes the champion."""

from __future__ import annotations

from contextlib import suppress

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from mergerscope.errors import MergerscopeError, TrackingError
from mergerscope.learn.encoder import Encoder, load_encoder
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.tracking.gate import beats, check_comparable, check_gate, read_validation
from mergerscope.tracking.logged_model import image_shape, log_model, try_model
from mergerscope.tracking.receipt import Receipt
from mergerscope.tracking.restore import run_of
from mergerscope.tracking.run import CONFIG_TAG, WEIGHTS_TAG, encoder_tags
from mergerscope.tracking.store import ALIAS, MODEL_NAME, initialise

__all__ = ["champion_version", "register"]

VIEWS_TAG = "views"
NO_SUCH = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What stores answer where there is no such model, or no such alias."""

DESCRIPTION = (
    "Galaxy images (N, C, H, W), uint8 or float32 flux, to embeddings, float32 (N, D), for ranking by likeness. One "
    "version a content: the tags hold the SHA-256 of its weights and configuration. The alias `champion` is what "
    "`embed` loads."
)


def register(paths: Paths, params: Params) -> Receipt:
    """Register the trained encoder, make it the champion, and return the champion's receipt.

    Idempotent: an encoder that the registry knows by its digests gets no second version. A version is loaded
    back and predicts before the alias moves to it.

    Raises:
        GateError: the encoder is not good enough, or not judged on what the champion was, by which alone
            ``promote: if_better`` could tell (`mergerscope.tracking.gate`).
        MissingInputError: `train` has not run.
        ContractError: the registered model does not predict what the encoder says.
        TrackingError: the store cannot be used.
    """
    validation = read_validation(paths)
    check_gate(validation, params.register_.gate)
    encoder = load_encoder(paths.encoder_weights, paths.encoder_config)
    digests = encoder_tags(paths.encoder_weights, paths.encoder_config)
    receipt = Receipt(
        MODEL_NAME, ALIAS, digests[WEIGHTS_TAG], digests[CONFIG_TAG], encoder.config.output_dim,
        image_shape(encoder.config), validation,
    )
    client = initialise(paths)
    views = params.embed.views
    version = _find(client, receipt, views)
    if version is None or not _works(client, version, encoder, views):
        version = _add(client, paths, params, encoder)
        try_model(_uri(version), encoder, views)
    for name, value in {**receipt.tags(), VIEWS_TAG: str(views)}.items():
        if version.tags.get(name) != value:
            client.set_model_version_tag(MODEL_NAME, version.version, name, value)
    return _promote(client, version, receipt, params.register_.promote)


def champion_version(client: mlflow.MlflowClient) -> ModelVersion | None:
    """Return the version that the alias stands for, or None where there is none yet.

    Raises:
        TrackingError: the store does not answer: that is no leave to promote without a comparison.
    """
    try:
        return client.get_model_version_by_alias(MODEL_NAME, ALIAS)
    except MlflowException as error:
        if error.error_code in NO_SUCH:
            return None
        raise TrackingError(
            f"the registry does not tell who is {MODEL_NAME}@{ALIAS}: {error}. "
            "Check MLFLOW_TRACKING_URI and the server."
        ) from error


def _find(client: mlflow.MlflowClient, receipt: Receipt, views: int) -> ModelVersion | None:
    wanted = {WEIGHTS_TAG: receipt.weights_sha256, CONFIG_TAG: receipt.config_sha256, VIEWS_TAG: str(views)}
    words = [f"name = '{MODEL_NAME}'", *(f"tags.{name} = '{value}'" for name, value in wanted.items())]
    found = client.search_model_versions(" and ".join(words), order_by=["version_number DESC"], max_results=1)
    return found[0] if found else None


def _works(client: mlflow.MlflowClient, version: ModelVersion, encoder: Encoder, views: int) -> bool:
    """Whether a version still loads and predicts, and its run is there: files and runs can be deleted."""
    try:
        try_model(_uri(version), encoder, views)
        return bool(client.get_run(str(version.run_id)).info.lifecycle_stage == "active")
    except (MlflowException, MergerscopeError, OSError):
        return False


def _add(client: mlflow.MlflowClient, paths: Paths, params: Params, encoder: Encoder) -> ModelVersion:
    run = run_of(client, paths, params)
    logged = log_model(
        client, run, paths.encoder_weights, paths.encoder_config, encoder.config, params.embed.views
    )
    # It may be there already; if another reason prevents it, the next call says so.
    with suppress(MlflowException):
        client.create_registered_model(MODEL_NAME, description=DESCRIPTION)
    return client.create_model_version(
        MODEL_NAME, logged.model_uri, run.id, model_id=logged.model_id, description=params.objective.name
    )


def _promote(client: mlflow.MlflowClient, version: ModelVersion, receipt: Receipt, promote: str) -> Receipt:
    champion = champion_version(client)
    if champion is not None and champion.version == version.version:
        return receipt
    if champion is not None and promote == "if_better":
        present = Receipt.from_tags(MODEL_NAME, ALIAS, champion.tags)
        check_comparable(receipt.validation, present.validation)
        if not beats(receipt.validation, present.validation):
            return present
    client.set_registered_model_alias(MODEL_NAME, ALIAS, version.version)
    return receipt


def _uri(version: ModelVersion) -> str:
    return f"models:/{MODEL_NAME}/{version.version}"

"""MLflow without telemetry, advertisements and other packages' deprecation warnings."""

from __future__ import annotations

import importlib
import os
import warnings

__all__ = ["import_mlflow_quietly"]

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    # A lock file of another tool beside the project is no part of the model.
    "MLFLOW_UV_AUTO_DETECT": "false",
    # Models of this project hold safetensors and code; a pickle in one is a mistake or an attack.
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}

MODULES = ("mlflow", "mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_store")


def import_mlflow_quietly() -> None:
    """Set what MLflow reads from the environment, unless the user has set it, and import its parts."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        # What these packages say of themselves and of each other while they are imported, we cannot mend.
        warnings.simplefilter("ignore")
        for module in MODULES:
            importlib.import_module(module)

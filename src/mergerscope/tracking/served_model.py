"""The registered model as code: images in, embeddings out. MLflow runs this file when it loads the model.

Nothing is unpickled: the weights are safetensors, the configuration is JSON, and the class is this text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from mergerscope.learn.device import pick_device
from mergerscope.learn.embed import embed_images
from mergerscope.learn.encoder import Encoder, load_encoder
from mergerscope.tracking.lineage import file_digest

__all__ = ["EncoderModel"]

BATCH = 64
"""Images a forward pass: a server answers small requests and should need little memory."""


class EncoderModel(PythonModel):
    """A pyfunc around `mergerscope.learn.encoder.Encoder`.

    Attributes:
        encoder: The network, in evaluation mode.
        weights_sha256: Of the weights that were read.
        config_sha256: Of the configuration that was read.
    """

    encoder: Encoder
    weights_sha256: str
    config_sha256: str

    def load_context(self, context: PythonModelContext) -> None:
        """Read the encoder from the artifacts ``weights`` and ``config``; MLflow passes ``context`` by name."""
        weights, config = Path(context.artifacts["weights"]), Path(context.artifacts["config"])
        self.encoder = load_encoder(weights, config)
        self.weights_sha256, self.config_sha256 = file_digest(weights), file_digest(config)

    # MLflow knows the plain array as a type hint, and warns of any other.
    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Return one embedding an image.

        Args:
            context: Of MLflow; not used.
            model_input: Images (N, C, H, W), uint8 or float32 flux, as `mergerscope shard` cuts them.
            params: ``views``: 8 (the default) averages over rotations and flips, 1 takes the image as it is.

        Returns:
            Embeddings, float32 (N, D).
        """
        views = (params or {}).get("views", 8)
        if views not in (1, 8):
            raise MlflowException.invalid_parameter_value(f"`views` must be 1 or 8, got {views}.")
        device = pick_device("auto")
        return embed_images(self.encoder, model_input, views=views, batch_size=BATCH, device=device).embedding


set_model(EncoderModel())

"""An encoder as an MLflow model: logged to a run, loaded back, and tried against the encoder itself."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

from mergerscope.errors import ContractError
from mergerscope.learn.device import pick_device
from mergerscope.learn.embed import embed_images
from mergerscope.learn.encoder import Encoder, EncoderConfig
from mergerscope.shards.sample import Pixels
from mergerscope.tracking.run import Run

__all__ = ["example_images", "image_shape", "log_model", "try_model"]

SERVED_MODEL = Path(__file__).with_name("served_model.py")
REQUIRED = ("mergerscope", "mlflow", "numpy", "safetensors", "torch")


def image_shape(config: EncoderConfig) -> list[int]:
    """Return C, H, W of the images that an encoder takes."""
    return [config.channels, config.image_size, config.image_size]


def log_model(
    client: mlflow.MlflowClient, run: Run, weights: Path, config: Path, settings: EncoderConfig, views: int
) -> ModelInfo:
    """Log an encoder's two files as a pyfunc model of a run, with signature and input example.

    Clients send images (N, C, H, W) as the shards hold them, uint8 or float32 flux; MLflow refuses other types and
    shapes.

    Args:
        client: Of the store that holds the run.
        run: The run that made the encoder.
        weights: Its safetensors file.
        config: Its JSON file.
        settings: What the JSON file says.
        views: Default of the model's one inference parameter.
    """
    made = client.get_run(run.id)
    entry = client.create_logged_model(
        made.info.experiment_id, name="encoder", source_run_id=run.id, params=made.data.params
    )
    logged: ModelInfo = Model.log(
        artifact_path=None,
        model_id=entry.model_id,
        flavor=mlflow.pyfunc,
        run_id=run.id,
        step=run.last_epoch,
        python_model=str(SERVED_MODEL),
        artifacts={"weights": str(weights), "config": str(config)},
        signature=ModelSignature(
            inputs=Schema([TensorSpec(np.dtype(settings.dtype), (-1, *image_shape(settings)))]),
            outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, settings.output_dim))]),
            params=ParamSchema([ParamSpec("views", "long", views)]),
        ),
        input_example=(example_images(settings), {"views": views}),
        # Left to MLflow, a second process loads the model and lists what happens to be imported.
        pip_requirements=[f"{package}=={version(package).partition('+')[0]}" for package in REQUIRED],
    )
    return logged


def try_model(uri: str, encoder: Encoder, views: int) -> None:
    """Load a model back, let it predict, and compare with the encoder that it was made from.

    Args:
        uri: Of a registered version.
        encoder: Read from the same two files.
        views: The inference parameter.

    Raises:
        ContractError: it does not predict what the encoder says.
    """
    images = example_images(encoder.config)
    served = mlflow.pyfunc.load_model(uri).predict(images, params={"views": views})
    direct = embed_images(encoder, images, views=views, batch_size=len(images), device=pick_device("auto")).embedding
    if served.shape != direct.shape or not np.allclose(served, direct, rtol=1e-4, atol=1e-4):
        raise ContractError(
            f"{uri}, loaded back from the registry, gives other embeddings than the encoder that it was made from: "
            f"shape {served.shape} against {direct.shape}. The alias was not moved. Is another version of "
            "mergerscope installed than the one that trained the encoder?"
        )


def example_images(config: EncoderConfig) -> Pixels:
    """Return one made-up image (1, C, H, W): a round galaxy with a smaller one beside it.

    For a network that takes flux, in units in which its stretch shows the galaxy neither black nor white.
    """
    rows, columns = np.indices((config.image_size, config.image_size)) / config.image_size
    light = sum(
        peak * np.exp(-np.hypot(rows - y, columns - x) / scale)
        for y, x, peak, scale in ((0.5, 0.5, 180, 0.1), (0.42, 0.66, 120, 0.05))
    )
    image = np.broadcast_to(light.clip(0, 255).astype(np.uint8), (1, *image_shape(config))).copy()
    return image if config.flux is None else (image / 255 * config.flux.white_level).astype(np.float32)

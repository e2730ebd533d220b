"""Train the encoder on the shards, without labels, as one MLflow run."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from mergerscope.files import write_bytes, write_text
from mergerscope.learn.encoder import save_encoder
from mergerscope.learn.fit import FitResult, assist, fit
from mergerscope.learn.pixel_scale import pixel_scale
from mergerscope.learn.place import launched
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import console
from mergerscope.shards.manifest import Manifest
from mergerscope.survey.catalog_file import read_catalog
from mergerscope.tracking.run import Run
from mergerscope.tracking.runs import training_run

__all__ = ["run"]


def run(paths: Paths, params: Params) -> None:
    """Train the encoder on the shards, without labels, as one MLflow run.

    Writes ``models/encoder.safetensors`` and ``encoder.json``, and into ``results/train/`` the history by epoch,
    the validation scores (on references only), and images as the network saw them. A training that was killed
    goes on from its last whole epoch, in the same MLflow run.

    On several devices only the first process, or the one of rank 0 where torchrun has started all, writes and logs.

    Raises:
        MissingInputError: catalogue or shards are not there.
        ContractError: there are too few images to train on, or none to monitor the training by.
        ParameterError: the training diverges, or asks for a device that is not there.
        TrackingError: the MLflow store cannot be used.
    """
    catalog = read_catalog(paths.catalog)
    place, scratch = launched(), paths.scratch / "train"
    if place is not None and place.rank > 0:
        assist(params, paths.shards, catalog, scratch=scratch)
        return
    note = pixel_scale(params.views, Manifest.load(paths.manifest)).note
    if note:
        console.print(f"train: {note}", highlight=False, markup=False, soft_wrap=True)
    with training_run(paths, params) as tracked:
        result = fit(params, paths.shards, catalog, scratch=scratch, on_epoch=tracked.log_epoch)
        save_encoder(result.encoder, paths.encoder_weights, paths.encoder_config)
        _write_results(paths.train_results, result)
        _log(tracked, paths.train_results, result)


def _write_results(folder: Path, result: FitResult) -> None:
    history = io.StringIO()
    writer = csv.DictWriter(history, list(result.history[0]), lineterminator="\n")
    writer.writeheader()
    for row in result.history:
        writer.writerow({name: "" if math.isnan(value) else f"{value:.6g}" for name, value in row.items()})
    # One reference alone cannot be validated: JSON has no nan, and `register` asks for null.
    validation = {
        name: {score: None if math.isnan(value) else value for score, value in found.items()}
        if isinstance(found, dict) else found
        for name, found in result.validation.items()
    }  # fmt: skip
    metrics = {"validation": validation, "epochs": len(result.history), "images": result.images}
    write_text(folder / "history.csv", history.getvalue())
    write_text(folder / "metrics.json", json.dumps(metrics, indent=2, allow_nan=False) + "\n")
    write_bytes(folder / "samples.safetensors", _packed(result.samples))


def _packed(samples: dict[str, npt.NDArray[np.uint8]]) -> bytes:
    # safetensors takes memory as it lies: what is a view of another order must be laid out anew
    return save({name: np.ascontiguousarray(values) for name, values in samples.items()})


def _log(tracked: Run, folder: Path, result: FitResult) -> None:
    found = result.validation
    tracked.log_summary({
        f"final_validation_{score}_{encoder}": found[encoder][score]
        for encoder in ("trained", "untrained") for score in ("recall", "average_precision")
    })  # fmt: skip
    tracked.log_table(folder / "history.csv")

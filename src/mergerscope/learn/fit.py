"""Train an encoder: parameters and shards in, encoder and what was seen on the way out.

Knows neither MLflow nor DVC, so that the stage, a sweep and the tests all call this one function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch

from mergerscope.learn.callbacks import EpochMonitor, OnEpoch
from mergerscope.learn.canvas import Canvas
from mergerscope.learn.encoder import Encoder, EncoderConfig, build_encoder
from mergerscope.learn.encounters import encounter_bank
from mergerscope.learn.make_canvas import make_canvas
from mergerscope.learn.module import EncoderModule, make_view
from mergerscope.learn.monitoring import RANKER, MonitorSet, scores
from mergerscope.learn.place import Place
from mergerscope.learn.team import Team
from mergerscope.learn.training import Training
from mergerscope.params import Params
from mergerscope.progress import progress
from mergerscope.search.validation import Validation
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_shard
from mergerscope.shards.shown import shown, stretch_of
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.stretch import FluxStretch

__all__ = ["FitResult", "assist", "encoder_config", "fit", "fresh_encoder"]

STATISTICS_IMAGES = 1000
SAMPLE_GALAXIES = 8


@dataclass(frozen=True, slots=True)
class FitResult:
    """A trained encoder, and what was seen on the way."""

    encoder: Encoder
    images: int
    """Galaxies that it was trained on."""
    history: list[dict[str, float]]
    """One row an epoch: losses, monitors, learning rate."""
    samples: dict[str, npt.NDArray[np.uint8]]
    """Images as the network saw them: `views` (n, v, C, H, W), the first the original; `pairs_positive` and
    `pairs_negative` (n, C, H, W) where the `pairs` term takes part."""
    validation: dict[str, Any]
    """Recall@k and average precision on validation folds of references, trained and untrained; and on what."""
    fold_recalls: tuple[float, ...]
    """Recall@k of the trained encoder in each of these folds."""


def encoder_config(params: Params, manifest: Manifest) -> EncoderConfig:
    """Return the configuration of the network that the parameters and the shards ask for."""
    channels, _, width = manifest.image_shape
    return EncoderConfig(
        depth=params.encoder.depth, width=params.encoder.width, embedding_dim=params.encoder.embedding_dim,
        pooling=params.embed.pooling, channels=channels, image_size=width, pairs_head=params.objective.pairs.weight > 0,
        flux=stretch_of(params, manifest),
    )  # fmt: skip


def fresh_encoder(params: Params, shards_dir: Path, manifest: Manifest) -> Encoder:
    """Return an untrained encoder that knows the mean and spread of the survey's pixels."""
    encoder = build_encoder(encoder_config(params, manifest), params.train.seed)
    images = shown(read_shard(shards_dir, manifest.shards[0].name).images[:STATISTICS_IMAGES], encoder.config.flux)
    encoder.pixel_mean.copy_(torch.from_numpy(images.mean((0, 2, 3))))
    encoder.pixel_std.copy_(torch.from_numpy(images.std((0, 2, 3))).clamp_min(1e-3))
    return encoder


def fit(
    params: Params,
    shards_dir: Path,
    catalog: Catalog,
    *,
    scratch: Path | None = None,
    on_epoch: OnEpoch | None = None,
    monitored: bool = True,
    judge_by: str = RANKER,
    description: str = "train",
) -> FitResult:
    """Train an encoder on the shards, without labels.

    On several devices (`train.devices`) this process is the first of those that train; it starts the others, and
    alone calls ``on_epoch``, writes resume points and returns. Where torchrun has started all, it is the one of rank 0
    that calls this, and the others call `assist`.

    Args:
        params: all parameters.
        shards_dir: folder of the shards and their manifest.
        catalog: whose roles say which galaxies are references; votes are used for nothing but monitoring.
        scratch: where resume points are kept. A training that was killed goes on from its last whole epoch when
            called again with equal parameters, shards and roles (`training_key`), and ends in the same weights.
        on_epoch: called with the epoch (from 0) and its row of the history, also for epochs that a resumed
            training had finished before. What it raises ends the training and is passed on.
        monitored: whether the monitors are measured each epoch; without them nothing can stop the training early.
        judge_by: the ranker behind the validation figures, a name of `mergerscope.search.rankers.RANKERS` that asks
            for no pairs head.
        description: of the progress bar.

    Raises:
        ContractError: there are too few images to train on, or none to monitor the training by.
        ParameterError: the training diverges, or asks for a device that is not there.
        MergerscopeError: a process that trains with this one was killed.
    """
    training = Training(params, shards_dir, catalog, scratch)
    manifest, device = training.manifest, training.device
    helper = partial(_assist, params, shards_dir, catalog, scratch)
    with Team(training.place, device, helper) as team:
        # Weights of heads, and anything a library draws by itself, must not depend on what ran before in the process.
        pl.seed_everything(params.train.seed, verbose=False)
        monitors = MonitorSet(params, shards_dir, manifest, catalog, judge_by)
        encoder = fresh_encoder(params, shards_dir, manifest)
        bank = _bank(params, manifest)
        canvas = make_canvas(params, shards_dir, manifest, catalog)
        module = EncoderModule(encoder, params, training.images, training.steps_per_epoch, bank, canvas)
        team.join()
        with progress(description, params.train.epochs * module.steps_per_epoch, "steps") as advance:
            monitor = EpochMonitor(monitors if monitored else None, params.train, on_epoch, advance)
            training.run(module, monitor)
    encoder = encoder.to(device).eval()
    found = monitors.examine(encoder, device)
    validation = _validation(params, shards_dir, manifest, monitors, found, device)
    fold_recalls = tuple(fold["recall_at_k"] for fold in found.per_fold)
    samples = _samples(params, monitors, bank, canvas, encoder.config.flux)
    training.forget()
    return FitResult(encoder.cpu().eval(), training.images, monitor.history, samples, validation, fold_recalls)


def assist(params: Params, shards_dir: Path, catalog: Catalog, *, scratch: Path | None = None) -> None:
    """Take part in a training as a process that a launcher has started, of which another one calls `fit`.

    Args:
        params: all parameters.
        shards_dir: folder of the shards and their manifest, which is the same for all processes.
        catalog: as for `fit`.
        scratch: as for `fit`, in a folder that all processes see.

    Raises:
        ContractError: there are too few images to train on.
        ParameterError: the training diverges, or asks for a device that is not there.
    """
    training = Training(params, shards_dir, catalog, scratch)
    with Team(training.place, training.device, _no_helper) as team:
        _follow(training, team.join)


def _assist(
    params: Params, shards_dir: Path, catalog: Catalog, scratch: Path | None, place: Place, join: Callable[[], None]
) -> None:
    _follow(Training(params, shards_dir, catalog, scratch, place), join)


def _no_helper(place: Place, join: Callable[[], None]) -> None:
    raise AssertionError("a launcher has started all processes")


def _follow(training: Training, join: Callable[[], None]) -> None:
    """Train as the first process does, and leave all else to it; its weights are taken over at the start."""
    params, manifest = training.params, training.manifest
    encoder = fresh_encoder(params, training.shards_dir, manifest)
    canvas = make_canvas(params, training.shards_dir, manifest, training.catalog)
    bank = _bank(params, manifest)
    module = EncoderModule(encoder, params, training.images, training.steps_per_epoch, bank, canvas)
    join()
    training.run(module, EpochMonitor(None, params.train, None, lambda count=1, note="": None))


def _bank(params: Params, manifest: Manifest) -> torch.Tensor | None:
    pairs = params.objective.pairs
    return encounter_bank(manifest.image_shape[1], params.train.seed) if pairs.weight * pairs.encounters > 0 else None


def _validation(
    params: Params, shards_dir: Path, manifest: Manifest, monitors: MonitorSet, found: Validation,
    device: torch.device,
) -> dict[str, Any]:
    untrained = fresh_encoder(params, shards_dir, manifest)
    return {
        "trained": scores(found),
        "untrained": scores(monitors.examine(untrained, device)),
        "k": monitors.k,
        "folds": params.rank.folds,
        "references": len(monitors.references),
        "pool": len(monitors.pool),
        **monitors.judged_on,
    }


def _samples(
    params: Params, monitors: MonitorSet, bank: torch.Tensor | None, canvas: Canvas, flux: FluxStretch | None
) -> dict[str, npt.NDArray[np.uint8]]:
    """Draw views of some galaxies just as training does."""
    generator = torch.Generator().manual_seed(params.train.seed)
    # At random: neighbours in the catalogue often come from one corner of a survey.
    chosen = torch.randperm(len(monitors.images), generator=generator)[:SAMPLE_GALAXIES]
    images = monitors.images[chosen.numpy()]
    originals = torch.from_numpy(shown(images, flux))
    ids = monitors.ids[chosen.numpy()].tolist()
    light, canvas = canvas.begin(torch.from_numpy(images), ids, params.views.strength, generator)

    def pixels(x: torch.Tensor) -> npt.NDArray[np.uint8]:
        return (x * 255).round().to(torch.uint8).numpy()

    drawn = [make_view("view", light, params, generator, canvas=canvas) for _ in range(5)]
    samples = {"views": pixels(torch.stack([originals, *drawn], 1))}
    if params.objective.pairs.weight > 0:
        samples["pairs_positive"] = pixels(make_view("pair", light, params, generator, bank, canvas))
        samples["pairs_negative"] = pixels(make_view("single", light, params, generator, canvas=canvas))
    return samples

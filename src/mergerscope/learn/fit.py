"""Train an encoder: parameters and shards in, encoder and what was seen on the way out.

Knows neither MLflow nor DVC, so that the stage, a sweep and the tests all call this one function.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch

from mergerscope.errors import ContractError
from mergerscope.learn.callbacks import EpochMonitor, OnEpoch
from mergerscope.learn.canvas import Canvas
from mergerscope.learn.device import pick_device
from mergerscope.learn.encoder import Encoder, EncoderConfig, build_encoder
from mergerscope.learn.encounters import encounter_bank
from mergerscope.learn.make_canvas import make_canvas
from mergerscope.learn.module import EncoderModule, make_view
from mergerscope.learn.monitoring import RANKER, MonitorSet, scores
from mergerscope.learn.resume_key import training_key
from mergerscope.learn.trainer import last_point, make_trainer, quiet_lightning
from mergerscope.params import Params
from mergerscope.progress import progress
from mergerscope.search.validation import Validation
from mergerscope.shards.loader import EpochLoader, steps_per_epoch, training_loader
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_shard
from mergerscope.shards.shown import shown, stretch_of
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.roles import REFERENCE
from mergerscope.survey.stretch import FluxStretch

__all__ = ["FitResult", "encoder_config", "fit", "fresh_encoder"]

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
    """
    manifest = Manifest.load(shards_dir / "manifest.json")
    keep, images = _training_images(params, manifest, catalog)
    batch_size = min(params.train.batch_size, images)
    device = pick_device(params.train.device)
    # Weights of heads, and anything a library draws by itself, must not depend on what ran before in the process.
    pl.seed_everything(params.train.seed, verbose=False)
    monitors = MonitorSet(params, shards_dir, manifest, catalog, judge_by)
    encoder = fresh_encoder(params, shards_dir, manifest)
    bank = _bank(params, manifest)
    canvas = make_canvas(params, shards_dir, manifest, catalog)
    module = EncoderModule(encoder, params, images, steps_per_epoch(images, batch_size), bank, canvas)
    points = None if scratch is None else _resume_points(scratch, training_key(params, manifest, catalog))

    def loader(epoch: int) -> EpochLoader:
        return training_loader(
            shards_dir, manifest, batch_size=batch_size, seed=params.train.seed, epoch=epoch,
            workers=params.train.workers, keep=keep,
        )  # fmt: skip

    with quiet_lightning(), progress(description, params.train.epochs * module.steps_per_epoch, "steps") as advance:
        monitor = EpochMonitor(monitors if monitored else None, params.train, on_epoch, advance)
        trainer = make_trainer(params.train, device, monitor, points)
        trainer.fit(module, datamodule=_Epochs(loader), ckpt_path=last_point(points), weights_only=True)
    encoder = encoder.to(device).eval()
    found = monitors.examine(encoder, device)
    validation = _validation(params, shards_dir, manifest, monitors, found, device)
    fold_recalls = tuple(fold["recall_at_k"] for fold in found.per_fold)
    samples = _samples(params, monitors, bank, canvas, encoder.config.flux)
    if points is not None:
        shutil.rmtree(points, ignore_errors=True)
    return FitResult(encoder.cpu().eval(), images, monitor.history, samples, validation, fold_recalls)


def _bank(params: Params, manifest: Manifest) -> torch.Tensor | None:
    pairs = params.objective.pairs
    return encounter_bank(manifest.image_shape[1], params.train.seed) if pairs.weight * pairs.encounters > 0 else None


class _Epochs(pl.LightningDataModule):
    """Hands Lightning a new loader each epoch: the order depends on the epoch alone, also after a resume."""

    def __init__(self, loader: Callable[[int], EpochLoader]) -> None:
        super().__init__()
        self._loader = loader

    def train_dataloader(self) -> EpochLoader:
        """Return the loader of the present epoch."""
        trainer = self.trainer
        return self._loader(0 if trainer is None else trainer.current_epoch)


def _training_images(params: Params, manifest: Manifest, catalog: Catalog) -> tuple[frozenset[str] | None, int]:
    """Return the ids to train on (None: all) and their number."""
    if params.train.images == "all":
        keep, count = None, manifest.total
    else:
        refused = {refusal.id for refusal in manifest.refused}
        keep = frozenset(catalog.ids[(catalog.role == REFERENCE) & catalog.known_merger].tolist()) - refused
        count = len(keep)
    if count < 2:
        raise ContractError(
            f"training needs at least 2 images, got {count} (train.images: {params.train.images}). "
            "Use train.images: all, or a survey with more known mergers."
        )
    return keep, count


def _resume_points(scratch: Path, key: str) -> Path:
    """Return the folder for resume points of just this training; those of any other are removed."""
    points = scratch / key[:16]
    for other in scratch.glob("*") if scratch.is_dir() else ():
        if other.is_dir() and other != points:
            shutil.rmtree(other)
    points.mkdir(parents=True, exist_ok=True)
    return points


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

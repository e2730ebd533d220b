"""Lightning's trainer as all trainings here use it: one process, no logger of its own, and quiet."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from mergerscope.learn.device import takes_bf16
from mergerscope.params import TrainParams

__all__ = ["last_point", "make_trainer", "quiet_lightning"]

LAST = "last"


def make_trainer(
    settings: TrainParams, device: torch.device, callback: pl.Callback, resume_points: Path | None
) -> pl.Trainer:
    """Return a trainer that keeps a resume point of the last whole epoch, where it is told where."""
    callbacks: list[pl.Callback] = [callback]
    if resume_points is not None:
        callbacks.append(ModelCheckpoint(dirpath=resume_points, filename=LAST, enable_version_counter=False,
                                         save_on_train_epoch_end=True))  # fmt: skip
    return pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        precision="bf16-mixed" if takes_bf16(settings.precision, device) else "32-true",
        max_epochs=settings.epochs,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=resume_points is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1,
    )


def last_point(resume_points: Path | None) -> str | None:
    """Return the file to resume from, if there is one."""
    file = None if resume_points is None else resume_points / f"{LAST}.ckpt"
    return str(file) if file is not None and file.is_file() else None


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep back what Lightning says of itself, the machine and other products; its warnings still come through."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Lightning 2.6 uses a deprecated class of torch in its own walk over a batch; nobody here can help it.
            warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning, r"pytorch_lightning\.utilities\._pytree")
            # Of a training that is resumed, as it should be.
            warnings.filterwarnings("ignore", "Checkpoint directory .* is not empty", UserWarning)
            yield
    finally:
        logger.setLevel(level)

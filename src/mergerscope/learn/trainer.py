"""Lightning's trainer as all trainings here use it: no logger, no processes of its own, and quiet."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.environments import ClusterEnvironment  # type: ignore[attr-defined]
from pytorch_lightning.strategies import DDPStrategy

from mergerscope.learn.device import takes_bf16
from mergerscope.learn.place import Place
from mergerscope.params import TrainParams

__all__ = ["last_point", "make_trainer", "quiet_lightning"]

LAST = "last"


def make_trainer(
    settings: TrainParams, device: torch.device, callback: pl.Callback, resume_points: Path | None, place: Place,
    *, leaves_some: bool = False,
) -> pl.Trainer:
    """Return a trainer that keeps a resume point of the last whole epoch, where it is told where.

    Args:
        settings: of the training.
        device: of this process.
        callback: at the end of each epoch.
        resume_points: the folder for them, if any.
        place: of this process among those that train together.
        leaves_some: whether some weights have no part in the loss: processes must know, or wait for their gradients.
    """
    callbacks: list[pl.Callback] = [callback]
    if resume_points is not None:
        callbacks.append(ModelCheckpoint(dirpath=resume_points, filename=LAST, enable_version_counter=False,
                                         save_on_train_epoch_end=True))  # fmt: skip
    together: dict[str, Any] = {}
    if place.processes > 1:
        # Buffers are equal from the start, or of no use in other processes: not to be sent at each step.
        strategy = DDPStrategy(
            cluster_environment=_Seat(place), broadcast_buffers=False, find_unused_parameters=leaves_some
        )
        together = {"strategy": strategy, "num_nodes": place.machines, "use_distributed_sampler": False}
    return pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=place.local_processes,
        precision="bf16-mixed" if takes_bf16(settings.precision, device) else "32-true",
        max_epochs=settings.epochs,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=resume_points is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1,
        **together,
    )


def last_point(resume_points: Path | None) -> str | None:
    """Return the file to resume from, if there is one."""
    file = None if resume_points is None else resume_points / f"{LAST}.ckpt"
    return str(file) if file is not None and file.is_file() else None


class _Seat(ClusterEnvironment):
    """Tells Lightning what it would read in the environment: who this process is, and that all have been started."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        raise AssertionError("the group has been joined already")

    @property
    def main_port(self) -> int:
        raise AssertionError("the group has been joined already")

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self._place.processes

    def set_world_size(self, size: int) -> None:
        assert size == self._place.processes

    def global_rank(self) -> int:
        return self._place.rank

    def set_global_rank(self, rank: int) -> None:
        assert rank == self._place.rank

    def local_rank(self) -> int:
        return self._place.local_rank

    def node_rank(self) -> int:
        return self._place.rank // self._place.local_processes


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
            # Its new name is not known to the oldest torch that serves.
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
            # Of a training that is resumed, as it should be.
            warnings.filterwarnings("ignore", "Checkpoint directory .* is not empty", UserWarning)
            yield
    finally:
        logger.setLevel(level)

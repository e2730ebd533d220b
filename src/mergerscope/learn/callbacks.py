"""What happens at the end of each epoch of a training: monitors, history, early stop."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

from mergerscope.errors import ParameterError
from mergerscope.learn.module import EncoderModule
from mergerscope.learn.monitoring import MonitorSet
from mergerscope.params import TrainParams
from mergerscope.progress import Advance

__all__ = ["EpochMonitor", "OnEpoch"]

OnEpoch = Callable[[int, dict[str, float]], None]

SCORE = "validation_average_precision"
"""The monitor by which a training stops early."""


class EpochMonitor(pl.Callback):
    """Measures the monitors, if any, at the end of each epoch, keeps the history and shows progress.

    The history is part of the checkpoint, so a resumed training has all of it, and calls ``on_epoch`` again for
    the epochs that were finished before: whoever listens has missed them if the process was killed.

    On several devices the first alone has monitors and a listener, and tells the others when to stop.
    """

    def __init__(
        self, monitors: MonitorSet | None, settings: TrainParams, on_epoch: OnEpoch | None, advance: Advance
    ) -> None:
        self.history: list[dict[str, float]] = []
        self._monitors, self._settings = monitors, settings
        self._on_epoch, self._advance = on_epoch, advance

    def state_dict(self) -> dict[str, Any]:
        """Return the history as JSON, which a checkpoint can hold without pickled objects."""
        return {"history": json.dumps(self.history)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the history."""
        self.history = json.loads(state_dict["history"])

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the epochs of a resumed training again, and do no more of it where it had stopped early."""
        assert isinstance(pl_module, EncoderModule)
        for epoch, row in enumerate(self.history):
            self._advance(pl_module.steps_per_epoch, "resumed")
            self._report(epoch, row)
        trainer.should_stop = trainer.strategy.broadcast(self._waited_enough())

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the progress bar."""
        self._advance(1, self._note())

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure, keep, report, and stop early where asked for."""
        assert isinstance(pl_module, EncoderModule)
        losses = pl_module.epoch_metrics
        if not math.isfinite(losses["loss"]):
            raise ParameterError(
                f"the loss has become {losses['loss']} in epoch {trainer.current_epoch}: the training has diverged. "
                f"Lower `train.learning_rate`; it is {self._settings.learning_rate:g}."
            )
        rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        seen = {} if self._monitors is None else self._monitors.epoch(pl_module.encoder, pl_module.device)
        row = {"epoch": float(trainer.current_epoch), **losses, **seen, "learning_rate": rate}
        self.history.append(row)
        self._report(trainer.current_epoch, row)
        trainer.should_stop = trainer.strategy.broadcast(self._waited_enough())

    def _waited_enough(self) -> bool:
        scores = [row[SCORE] for row in self.history if SCORE in row]
        # One reference alone gives no score, and so no sign that it is time to stop.
        if not self._settings.patience or not scores or math.isnan(scores[-1]):
            return False
        return len(scores) - 1 - scores.index(max(scores)) >= self._settings.patience

    def _report(self, epoch: int, row: dict[str, float]) -> None:
        if self._on_epoch is not None:
            self._on_epoch(epoch, row)

    def _note(self) -> str:
        if not self.history:
            return ""
        last = self.history[-1]
        loss = f"loss {last['loss']:.3f}"
        return f"{loss}, validation AP {last[SCORE]:.3f}" if SCORE in last else loss

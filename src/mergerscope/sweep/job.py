"""A trial in a worker's hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optuna.trial import Trial

from mergerscope.errors import TrackingError
from mergerscope.sweep.table import Running
from mergerscope.tracking.run import Run

__all__ = ["Job"]


@dataclass
class Job:
    """A trial in a worker's hands, and what is known of it so far."""

    trial: Trial
    run: Run
    epochs_asked: int
    """Of all its trainings together."""
    begun: float
    """By the monotonic clock, in seconds."""
    epochs: int = 0
    recall: float | None = None
    pruned: bool = False
    _unlogged: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)

    def shown(self, now: float) -> Running:
        """As the table shows it."""
        return Running(self.trial.number, self.epochs, self.epochs_asked, self.recall, now - self.begun)

    def log(self, row: Mapping[str, float]) -> str:
        """Log the last epoch; where the store does not take it now, say so: it is logged with the next one.

        A tracking server that is away for a minute should not end a search of hours.
        """
        self._unlogged.append((self.epochs - 1, row))
        try:
            self.log_rest()
        except TrackingError as error:
            return f"its last epoch is logged later. {error}"
        return ""

    def log_rest(self) -> None:
        """Log the epochs that wait.

        Raises:
            TrackingError: the store cannot be used.
        """
        while self._unlogged:
            self.run.log_epoch(*self._unlogged[0])
            del self._unlogged[0]

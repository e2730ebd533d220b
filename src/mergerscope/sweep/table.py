"""What a sweep is doing, while it does it: a live table on a terminal, a line a finished trial in a log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mergerscope.counts import plural
from mergerscope.sweep.verdict import best_of, recall_of

__all__ = ["Board", "BoardState", "Running", "board_state"]

REFRESH_PER_S = 2.0
BAR_WIDTH = 20
SHOWN = 16
"""Running trials that the table shows at most; with more, the rest is a number."""


@dataclass(frozen=True, slots=True)
class Running:
    """One trial in progress."""

    number: int
    epoch: int
    """The last whole one."""
    epochs: int
    """Of all repeats together."""
    recall: float | None
    """After that epoch."""
    seconds: float
    """Since it began."""


@dataclass(frozen=True, slots=True)
class BoardState:
    """Where a study stands."""

    done: int = 0
    """Completed trials."""
    pruned: int = 0
    failed: int = 0
    """Failed ones that count; those that are tried again are not among them."""
    running: Sequence[Running] = field(default_factory=list)
    best: tuple[int, float] | None = None
    """Number and recall of the best completed trial."""
    baseline: float | None = None
    """Recall of the present settings."""
    elapsed: float = 0.0
    """Seconds since this process began to work at the study."""

    @property
    def finished(self) -> int:
        """Trials that are over and count."""
        return self.done + self.pruned + self.failed


def board_state(over: Sequence[FrozenTrial], running: Sequence[Running], elapsed: float) -> BoardState:
    """Return where a study stands.

    Args:
        over: The trials that are over and count, of all machines.
        running: Those in progress on this one.
        elapsed: Seconds since this process began to work at the study.
    """
    best = best_of(over)
    baseline = best_of([trial for trial in over if trial.user_attrs.get("baseline")])
    states = [trial.state for trial in over]
    return BoardState(
        done=states.count(TrialState.COMPLETE), pruned=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAIL), running=running, elapsed=elapsed,
        best=None if best is None else (best.number, recall_of(best)),
        baseline=None if baseline is None else recall_of(baseline),
    )  # fmt: skip


class Board:
    """Shows the state of a study while the block runs.

    Args:
        console: Where to; anything but a terminal gets plain lines.
        name: Of the study.
        total: Trials asked for.
        workers: Processes that train on this machine.
        timeout: Seconds after which the sweep stops, or None.
    """

    def __init__(self, console: Console, name: str, total: int, workers: int, timeout: float | None) -> None:
        self._console = console
        self._name = name
        self._total = total
        self._workers = workers
        self._timeout = timeout
        self._before: int | None = None  # trials that were over when this process began
        self._told = -1
        self._state = BoardState()
        self._live = Live(
            get_renderable=self.render, console=console, refresh_per_second=REFRESH_PER_S, transient=False
        ) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, state: BoardState) -> None:
        """Show another state."""
        if self._before is None:
            self._before = self._told = state.finished
        self._state = state
        if self._live is None and state.finished != self._told:
            self._told = state.finished
            self._console.print(f"sweep {self._name}: {self._counts()}; {self._scores()}; {self._times()}",
                                highlight=False, markup=False, soft_wrap=True)

    def seconds_left(self) -> float | None:
        """Return how long the rest will take, or None before anything tells.

        By the pace so far, which pruned trials and other machines are part of; a running trial counts by its epochs.
        """
        state = self._state
        part = sum(min(trial.epoch / trial.epochs, 1.0) for trial in state.running if trial.epochs > 0)
        gone = state.finished - (self._before or 0) + part
        rest = max(self._total - state.finished - part, 0.0)
        left = None if gone <= 0 or state.elapsed <= 0 else rest * state.elapsed / gone
        if self._timeout is None:
            return left
        until = max(self._timeout - state.elapsed, 0.0)
        return until if left is None else min(left, until)

    def render(self) -> RenderableType:
        """Return the table as it now is."""
        head = Text.assemble(("sweep ", "dim"), (self._name, "bold"), f"   {self._counts()}")
        scores = Text(f"{self._scores()}; {self._times()}", "dim")
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("trial", justify="right")
        table.add_column("epoch", justify="right")
        table.add_column("", width=BAR_WIDTH)
        table.add_column("recall", justify="right")
        table.add_column("time", justify="right")
        shown = sorted(self._state.running, key=lambda trial: trial.number)[:SHOWN]
        for trial in shown:
            table.add_row(
                str(trial.number), f"{trial.epoch}/{trial.epochs}",
                ProgressBar(total=max(trial.epochs, 1), completed=trial.epoch, width=BAR_WIDTH),
                _value(trial.recall), _clock(trial.seconds),
            )
        more = len(self._state.running) - len(shown)
        lines: list[RenderableType] = [head, scores]
        if shown:
            lines.append(table)
        if more:
            lines.append(Text(f"and {more} more", "dim"))
        return Group(*lines)

    def _counts(self) -> str:
        state = self._state
        return (
            f"{state.finished} of {plural(self._total, 'trial')}: {state.done} complete, {state.pruned} pruned, "
            f"{state.failed} failed, {len(state.running)} running with {plural(self._workers, 'worker')}"
        )

    def _scores(self) -> str:
        state = self._state
        best = "none complete yet" if state.best is None else f"best {state.best[1]:.3f} (trial {state.best[0]})"
        return best if state.baseline is None else f"{best}, present settings {state.baseline:.3f}"

    def _times(self) -> str:
        left = self.seconds_left()
        gone = _clock(self._state.elapsed)
        return gone if left is None else f"{gone} gone, about {_clock(left)} left"


def _value(recall: float | None) -> str:
    return "\N{EN DASH}" if recall is None or not math.isfinite(recall) else f"{recall:.3f}"


def _clock(seconds: float) -> str:
    """Seconds as ``0:07``, ``12:34`` or ``1:02:03``."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

"""What a sweep hands to a worker, and what it gets back; light enough to be known without torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mergerscope.params import Params

__all__ = ["Answer", "Ended", "Epoch", "Failed", "OnEpoch", "Result", "Task"]

OnEpoch = Callable[[int, dict[str, float]], None]

Answer = Literal["go on", "stop"]
"""To each `Epoch`."""


@dataclass(frozen=True, slots=True)
class Task:
    """One trial to be trained."""

    number: int
    params: tuple[Params, ...]
    """Of each training, one after another."""
    root: Path
    """Of the project."""
    scratch: Path
    """Of the trial, and of those before it with the same values: resume points and shards."""
    data: str
    """Digest of survey, roles and shards."""
    packs: bool
    """Whether the trial has images of its own crop or size."""
    judge_by_own_ranker: bool
    threads: int


@dataclass(frozen=True, slots=True)
class Epoch:
    """A whole epoch of a trial is over; the worker waits for an `Answer`."""

    epochs: int
    """So far, of all trainings together."""
    row: dict[str, float]
    """Of the history."""


@dataclass(frozen=True, slots=True)
class Result:
    """A trial that was trained to its end; one entry a training."""

    recalls: list[float]
    fold_recalls: list[list[float]]
    average_precisions: list[float]
    embedding_dim: int
    """Numbers that an embedding has."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A trial that ended by its own error."""

    reason: str
    traceback: str
    """Empty where the error is one that mergerscope raises on purpose."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial that was told to stop."""



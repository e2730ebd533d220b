"""Which trials of a study count, whatever has been killed: the arithmetic of several sweeps at one study.

A trial counts when it is complete, was pruned, or failed by its own fault. One that failed because a process died, or
was stopped, does not count, and another trial with the same values takes its place. All that work at a study count
alike, by what the storage holds, so that no more trials count than were asked for, and no fewer in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

__all__ = [
    "FIXED", "counted", "counting", "first_attempt", "is_surplus", "is_void", "takes_a_place", "untaken", "values_of",
    "worker_deaths",
]

FIXED = "fixed_params"
"""Optuna's own name for values that are not drawn."""


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials of a study that are over and count."""
    return counting(study.get_trials(deepcopy=False))


def counting(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return those of some trials that are over and count."""
    return [trial for trial in trials if trial.state.is_finished() and not is_void(trial)]


def is_void(trial: FrozenTrial) -> bool:
    """Whether a trial failed without any fault of its values, or was one too many."""
    attrs = trial.user_attrs
    return trial.state == TrialState.FAIL and bool(attrs.get("lost") or attrs.get("stopped") or attrs.get("surplus"))


def takes_a_place(trial: FrozenTrial) -> bool:
    """Whether a trial is one of those asked for: it counts already, or runs or waits and may yet count."""
    return not is_void(trial)


def is_surplus(number: int, trials: Sequence[FrozenTrial], total: int) -> bool:
    """Whether the trial of that number, which has just begun, is one too many.

    It is when ``total`` trials of smaller numbers have places, or when one of them does the same work: another first
    trial of the present settings, or another retry. A trial's number never changes and a lost place is never regained,
    so a trial that once has its place keeps it, whoever asks: two sweeps that begin one at the same moment agree.
    """
    before = [other for other in trials if other.number < number and not other.user_attrs.get("surplus")]
    if sum(map(takes_a_place, before)) >= total:
        return True
    work = next(_work(trial) for trial in trials if trial.number == number)
    return work is not None and any(_work(other) == work for other in before)


def untaken(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that were lost or stopped, have values, and no retry yet, the first one first."""
    retried = {trial.user_attrs.get("retry_of") for trial in trials if not trial.user_attrs.get("surplus")}
    return [
        trial for trial in trials
        if is_void(trial) and not trial.user_attrs.get("surplus") and trial.number not in retried
        and values_of(trial)
    ]  # fmt: skip


def values_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return the values of a trial, drawn or given; fewer than there are parameters where it died at its beginning."""
    fixed: dict[str, Any] = trial.system_attrs.get(FIXED, {})
    return fixed | trial.params


def worker_deaths(number: int, trials: Sequence[FrozenTrial]) -> int:
    """Return how many attempts at a trial's values, itself among them, have ended with the death of a worker."""
    return sum(trial.user_attrs.get("lost") == "worker" for trial in _attempts(number, trials))


def first_attempt(number: int, trials: Sequence[FrozenTrial]) -> tuple[int, int]:
    """Return the number of the first trial with these values, and how many came before this one."""
    attempts = _attempts(number, trials)
    return attempts[-1].number, len(attempts) - 1


def _attempts(number: int, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """A trial and those that it is a retry of, the last one first."""
    by_number = {trial.number: trial for trial in trials}
    found = [by_number[number]]
    while (before := found[-1].user_attrs.get("retry_of")) is not None:
        found.append(by_number[before])
    return found


def _work(trial: FrozenTrial) -> tuple[str, int] | None:
    retry_of = trial.user_attrs.get("retry_of")
    if retry_of is not None:
        return "retry", retry_of
    return ("baseline", 0) if trial.user_attrs.get("baseline") else None

"""One row a trial: for trials.csv and for the table of the report."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from mergerscope.sweep.count import is_void
from mergerscope.sweep.scale import scales
from mergerscope.sweep.verdict import folds_of

__all__ = ["WORDS", "rows", "rows_csv", "state_words"]

WORDS = {
    TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed",
    TrialState.RUNNING: "running", TrialState.WAITING: "waiting",
}  # fmt: skip


def rows(trials: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """Return what is known of each trial by column; None where there is no value.

    ``spread`` is the standard deviation of recall over the repeats and ``fold_spread`` the one over their folds;
    ``last_recall`` is the one after the last epoch reported, which is all that a pruned trial has.
    """
    parameters = [scale.name for scale in scales(trials)]
    several = any(trial.values and len(trial.values) > 1 for trial in trials)
    return [
        {
            "number": trial.number,
            "state": trial.state.name,
            # Optuna gives a pruned trial its last recall for a value.
            "value": trial.values[0] if trial.state == TrialState.COMPLETE else None,
            **({"embedding_size": int(trial.values[1]) if trial.values else None} if several else {}),
            "spread": _spread(trial.user_attrs.get("recalls") or []),
            "fold_spread": _spread([value for repeat in folds_of(trial) for value in repeat]),
            "last_recall": trial.intermediate_values[trial.last_step] if trial.last_step is not None else None,
            "epochs": trial.last_step,
            "baseline": bool(trial.user_attrs.get("baseline")),
            "retry_of": trial.user_attrs.get("retry_of"),
            "seconds": _seconds(trial),
            "reason": trial.user_attrs.get("reason"),
            **{name: trial.params.get(name) for name in parameters},
        }
        for trial in trials
    ]


def rows_csv(trials: Sequence[FrozenTrial]) -> str:
    """Return the rows as CSV with a header, even where there are none."""
    lines = rows(trials)
    names = list(lines[0]) if lines else ["number", "state", "value"]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names)
    table.writerows([_cell(line[name]) for name in names] for line in lines)
    return text.getvalue()


def state_words(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> str:
    """What became of a trial, for a reader; tells the failed ones that count from those that do not."""
    attributes = trial.user_attrs
    if is_void(trial) and attributes.get("surplus"):
        return "one too many"
    if is_void(trial):
        again = any(other.user_attrs.get("retry_of") == trial.number for other in trials)
        return ("stopped" if attributes.get("stopped") else "lost") + ", tried again" * again
    return WORDS[trial.state]


def _seconds(trial: FrozenTrial) -> float | None:
    told = trial.user_attrs.get("seconds")
    if told is None and trial.duration is not None:
        told = trial.duration.total_seconds()
    return None if told is None else round(float(told), 1)


def _spread(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return round(float(np.std(known, ddof=1)), 6) if len(known) > 1 else None


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value

"""The runs of a study's trials, ended as the trials are."""

from __future__ import annotations

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from mergerscope.sweep.count import is_void
from mergerscope.sweep.ledger import Ledger
from mergerscope.tracking.study_runs import StudyRuns

__all__ = ["close_stale", "end_child"]


def end_child(runs: StudyRuns, run_id: str, trial: FrozenTrial) -> None:
    """End the run of a trial that is over, with all that the trial tells."""
    attrs = trial.user_attrs
    metrics: dict[str, float | None] = {"seconds": attrs.get("seconds")}
    if trial.state == TrialState.COMPLETE:
        recalls, precisions = attrs["recalls"], attrs["average_precisions"]
        metrics |= {
            "recall": float(np.mean(recalls)),
            "recall_spread": float(np.std(recalls, ddof=1)) if len(recalls) > 1 else None,
            "average_precision": float(np.mean(precisions)),
            "embedding_dim": attrs["embedding_dim"],
        }
        runs.end(run_id, "COMPLETE", metrics)
    elif trial.state == TrialState.PRUNED:
        runs.end(run_id, "PRUNED", metrics)
    else:
        runs.end(run_id, "FAIL", metrics, attrs.get("reason", ""), killed=is_void(trial))


def close_stale(runs: StudyRuns, ledger: Ledger) -> None:
    """End the runs that killed processes have left in progress."""
    # The study is asked after the store: a trial begins before its run, so that none that has just begun is ended.
    open_ = runs.open_children()
    trials = {trial.number: trial for trial in ledger.trials} if open_ else {}
    for run_id, number in open_.items():
        if trials[number].state.is_finished():
            end_child(runs, run_id, trials[number])

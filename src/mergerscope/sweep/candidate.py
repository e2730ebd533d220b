"""The parameters that a trial trains with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mergerscope.params import Params, with_values

__all__ = ["candidate"]


def candidate(params: Params, values: Mapping[str, Any]) -> tuple[Params, ...]:
    """Return the parameters of each training of a trial.

    They are the present ones with the trial's values, the sweep's k and epochs, and the seeds ``train.seed``,
    ``train.seed`` + 1 and so on, which choose the folds as well: so every trial is examined alike.

    Raises:
        ParameterError: the values do not go together.
    """
    sweep = params.sweep
    chosen = with_values(params, values)
    shared = {
        "train.epochs": sweep.epochs or chosen.train.epochs,
        "train.monitor_k": sweep.k,
        # A batch is of all devices together: on one it learns the same.
        "train.devices": 1,
        # One loader process gives the same batches as none, and the cores are busy with other trials.
        "train.workers": 0 if chosen.train.workers == 1 else chosen.train.workers,
    }
    seed = params.train.seed
    return tuple(with_values(chosen, shared | {"train.seed": seed + repeat}) for repeat in range(sweep.repeats))

"""An Optuna study as a sweep needs it: begun or taken up again, with its sampler, its pruner and its space."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import DuplicatedStudyError
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import Trial

from mergerscope.errors import SweepError
from mergerscope.params import Searched, SweepParams
from mergerscope.sweep.settings import check_same

__all__ = ["distributions", "draw", "make_sampler", "open_study", "quiet_optuna"]

SETTLE_S = 0.5
"""So long a new study may take to be what it is for all who begin it at once."""
SEEDS = 1_000_003
"""A prime larger than any number of trials: seeds of two trials, or of two sweeps, seldom meet."""


def open_study(
    storage: BaseStorage, name: str, sweep: SweepParams, settings: dict[str, Any], resume: bool
) -> optuna.Study:
    """Begin a study, or with ``resume`` take up the one that the storage may hold.

    Raises:
        SweepError: there is such a study and ``resume`` is false, or it was begun with other settings.
    """
    directions = [StudyDirection.MAXIMIZE, *([StudyDirection.MINIMIZE] if sweep.multi_objective else [])]
    try:
        study = optuna.create_study(storage=storage, study_name=name, directions=directions)
    except DuplicatedStudyError:
        if not resume:
            raise SweepError(
                f"There is a study {name} already. Go on with it by --resume, or take another name."
            ) from None
        study = optuna.load_study(storage=storage, study_name=name)
    known = study.user_attrs
    if "settings" in known:
        check_same(name, known["settings"], settings)
    if known.get("settings") != settings:
        study.set_user_attr("settings", settings)
    if "key" not in known:
        # By what other stores know this study: a name may be used again.
        study.set_user_attr("key", uuid4().hex)
    if not study.get_trials(deepcopy=False):
        # Another sweep that begins at this moment may set its own; when both are there, all read the last one.
        time.sleep(SETTLE_S)
    study.pruner = _pruner(sweep, settings["epochs"] * settings["repeats"])
    return study


def distributions(space: dict[str, Searched]) -> dict[str, BaseDistribution]:
    """Return the space in Optuna's words."""
    return {name: _distribution(searched) for name, searched in space.items()}


def draw(trial: Trial, name: str, distribution: BaseDistribution) -> None:
    """Let a trial have a value of a parameter: a new one, or the one that it was begun with."""
    if isinstance(distribution, CategoricalDistribution):
        trial.suggest_categorical(name, distribution.choices)
    elif isinstance(distribution, IntDistribution):
        trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log, step=distribution.step)
    elif isinstance(distribution, FloatDistribution):
        trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log, step=distribution.step)


def make_sampler(sweep: SweepParams, trial: int) -> BaseSampler:
    """Return the sampler of one trial.

    Seeded by the trial's number: a sampler with one seed for the study would draw the same values again after every
    resume, and in each of several sweeps at one study.
    """
    seed = (sweep.seed * SEEDS + trial) % 2**32
    if sweep.sampler == "random":
        return RandomSampler(seed=seed)
    return TPESampler(seed=seed, n_startup_trials=sweep.startup_trials)


def quiet_optuna() -> None:
    """Keep back what Optuna says of each trial; its warnings still come through."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _distribution(searched: Searched) -> BaseDistribution:
    if searched.choices is not None:
        return CategoricalDistribution(searched.choices)
    assert searched.low is not None
    assert searched.high is not None
    if searched.type == "int":
        return IntDistribution(int(searched.low), int(searched.high), log=searched.log, step=int(searched.step or 1))
    step = None if searched.step is None else float(searched.step)
    return FloatDistribution(float(searched.low), float(searched.high), log=searched.log, step=step)


def _pruner(sweep: SweepParams, epochs: int) -> BasePruner:
    # When pruning may begin is for the dispatcher to say, alike for all pruners.
    if sweep.multi_objective or sweep.pruner == "none":
        return NopPruner()
    if sweep.pruner == "hyperband":
        return HyperbandPruner(min_resource=max(1, sweep.warmup_epochs), max_resource=max(epochs, 1))
    return MedianPruner(n_startup_trials=0)

"""Is the best trial better than the present settings, or only lucky? Recall on few mergers is noisy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState
from scipy import stats

from mergerscope.counts import plural

__all__ = ["LEVEL", "Folds", "Verdict", "best_of", "folds_of", "judge", "noise_of", "recall_of"]

Array = np.ndarray[Any, Any]

Folds = Sequence[Sequence[float]]
"""Recalls of the folds of each repeat."""

LEVEL = 0.05
"""How often a sweep may say "better" where no settings are."""

TEST_TO_TRAIN = 0.5
"""Size of the held-out part over that of the kept one: a third of the references is held out in each fold."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The best trial against trial 0, which has the present settings; numbers are None where there is no such trial."""

    best: int | None
    """Number of the completed trial of the highest recall."""
    baseline: int | None
    """Number of the completed trial with the present settings."""
    best_value: float
    """Its recall; NaN where there is none."""
    baseline_value: float
    """Its recall; NaN where there is none."""
    difference: float
    """Best less baseline; NaN where one of them is missing."""
    noise: float
    """What the best of as many trials may lead by through luck alone; NaN where that cannot be told."""
    tried: int
    """Completed and pruned trials beside the baseline: among so many the best was picked."""
    better: bool
    """Whether the difference is larger than the noise."""
    sentence: str
    """All this for a reader."""


def judge(trials: Sequence[FrozenTrial]) -> Verdict:
    """Compare the best completed trial with the baseline.

    The best was picked among many: the one-sided level of 5 % is divided by the number of trials that were tried
    beside the baseline (Bonferroni), pruned ones among them, for those too could have been the best. See `noise_of`
    for the rest.

    Args:
        trials: Of one study, in any state. Their user attributes ``baseline`` and ``fold_recalls``, a list of the
            folds' recalls for each repeat, are read.
    """
    best = best_of(trials)
    baseline = best_of([trial for trial in trials if trial.user_attrs.get("baseline")])
    tried = sum(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials) - (baseline is not None)
    difference = recall_of(best) - recall_of(baseline)
    noise = math.nan
    if best is not None and baseline is not None and best.number != baseline.number:
        done = [folds_of(trial) for trial in trials if trial.state == TrialState.COMPLETE]
        noise = noise_of(folds_of(best), folds_of(baseline), done, LEVEL / max(tried, 1))
    better = bool(difference > noise)
    return Verdict(
        best=None if best is None else best.number, baseline=None if baseline is None else baseline.number,
        best_value=recall_of(best), baseline_value=recall_of(baseline), difference=difference, noise=noise,
        tried=tried, better=better, sentence=_sentence(best, baseline, noise, tried, better),
    )


def best_of(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """Return the completed trial of the highest recall, of equal ones the first; None where none is complete."""
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return max(done, key=lambda trial: (recall_of(trial), -trial.number), default=None)


def recall_of(trial: FrozenTrial | None) -> float:
    """Return a trial's recall, which is its first value; NaN where it has none."""
    return math.nan if trial is None or not trial.values else float(trial.values[0])


def folds_of(trial: FrozenTrial) -> Folds:
    """Return the recalls of the folds of each repeat of a trial; NaN where a fold has none."""
    # JSON of some storages knows no NaN.
    return [
        [math.nan if value is None else float(value) for value in repeat]
        for repeat in trial.user_attrs.get("fold_recalls") or []
    ]


def noise_of(ours: Folds, theirs: Folds, every: Sequence[Folds], level: float) -> float:
    """Return what the difference of two trials' mean recall exceeds by luck with a probability of ``level``.

    Two kinds of luck add up. That of the references: a repeat's folds hold out the same ones in both trials, so the
    differences d of their recalls are paired; folds overlap, which the variance ``(1/J + 1/2) s**2`` of the J
    differences allows for (Nadeau & Bengio 2003, Machine Learning 52, 239, section 3: the corrected resampled t-test;
    s is their standard deviation within the repeats). That of the training's seed, which lifts or lowers all folds of a
    repeat together: ``2 e**2 / R`` for R repeats, where e is what the trials' means of the repeats scatter by, over
    all trials, after the means of each trial and each repeat are taken away. Degrees of freedom are those of Welch &
    Satterthwaite.

    With one repeat nothing tells of the second kind, and it is left out: the noise is then that of the references, for
    these two encoders. In simulations of 20 equal trials "better" was said in 0 to 5 % of sweeps; with one repeat and
    trainings whose luck exceeds that of the references, in up to a third.

    Args:
        ours: Recalls of the folds of each repeat.
        theirs: Those of the other trial.
        every: Those of all completed trials.
        level: One-sided.

    Returns:
        NaN with fewer than two folds in common, or where all differences are equal: then nothing tells how they vary.
    """
    repeats = [part for part in map(_paired, ours, theirs) if len(part)]
    pairs = sum(map(len, repeats))
    freedom = pairs - len(repeats)
    squares = sum(float(((part - part.mean()) ** 2).sum()) for part in repeats)
    if freedom < 1 or squares < 1e-18:
        return math.nan
    variance = (1 / pairs + TEST_TO_TRAIN) * squares / freedom
    if len(repeats) > 1:
        whole = [folds for folds in every if len(folds) == len(ours) and all(folds)]
        means = np.array([[np.mean(part) for part in folds] for folds in whole]).reshape(len(whole), -1)
        means = means[np.isfinite(means).all(axis=1)]
        if len(means) < 2:
            return math.nan
        left = means - means.mean(axis=1, keepdims=True) - means.mean(axis=0) + means.mean()
        left_freedom = (means.shape[0] - 1) * (means.shape[1] - 1)
        seeds = 2 * float((left**2).sum()) / left_freedom / len(repeats)
        freedom = (variance + seeds) ** 2 / (variance**2 / freedom + seeds**2 / left_freedom)
        variance += seeds
    return float(stats.t.isf(level, freedom)) * math.sqrt(variance)


def _paired(one: Sequence[float], other: Sequence[float]) -> Array:
    """Differences of the folds that both have."""
    both = min(len(one), len(other))
    differences = np.asarray(one[:both], dtype=np.float64) - np.asarray(other[:both], dtype=np.float64)
    return differences[np.isfinite(differences)]


def _sentence(best: FrozenTrial | None, baseline: FrozenTrial | None, noise: float, tried: int, better: bool) -> str:
    if best is None:
        return "No trial was completed, so there is no best one."
    if baseline is None:
        return (
            f"The best trial is number {best.number} with a recall of {recall_of(best):.3f}. The present settings have "
            "no completed trial, so nothing can be said of whether that is better."
        )
    now = f"the present settings (trial {baseline.number})"
    if best.number == baseline.number and tried:
        return f"None of {plural(tried, 'other trial')} did better than {now}, with a recall of {recall_of(best):.3f}."
    if best.number == baseline.number:
        return f"Only {now} were tried, with a recall of {recall_of(best):.3f}."
    lead = (
        f"trial {best.number} has a recall of {recall_of(best):.3f} against {recall_of(baseline):.3f} with {now}, a "
        f"lead of {recall_of(best) - recall_of(baseline):.3f}"
    )
    if not math.isfinite(noise):
        return f"Whether the best trial is better cannot be told: {lead}, but nothing tells how much of it is luck."
    most = f"the best of {tried} tries lead by {noise:.3f}"
    flattered = "The best of many tries is flattered: expect less of it on other galaxies."
    if not better:
        return f"Not better within the noise: {lead}, but luck alone may let {most}. {flattered}"
    if len(folds_of(best)) > 1:
        return f"Better: {lead}, where luck alone would let {most} in one sweep of twenty. {flattered}"
    return (
        f"Better on these galaxies: {lead}, where the luck of which references are held out would let {most} in one "
        "sweep of twenty. Each was trained once, so how much of it another seed would undo is not known; with "
        f"sweep.repeats of 3 it would be. {flattered}"
    )

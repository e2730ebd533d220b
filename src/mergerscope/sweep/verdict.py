"""Is the best trial better than the present settings, or only lucky? Recall on few mergers is noisy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from optuna.trial import FrozenTrial, TrialState
from scipy import stats

from mergerscope.report.words import plural

__all__ = ["LEVEL", "Verdict", "best_of", "folds_of", "judge", "noise_of", "recall_of"]

LEVEL = 0.05
"""How often a sweep may say "better" where no settings differ from the present ones."""

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
    folds: int
    """Pairs of folds that were compared."""
    better: bool
    """Whether the difference is larger than the noise."""
    sentence: str
    """All this for a reader."""


def judge(trials: Sequence[FrozenTrial]) -> Verdict:
    """Compare the best completed trial with the baseline, fold by fold.

    The folds of both hold out the same references, so that the differences of their recalls are paired. Folds overlap,
    which the variance of Nadeau & Bengio 2003 (Machine Learning 52, 239, section 3: the corrected resampled t-test)
    allows for. The best was picked among many: the one-sided level of 5 % is divided by the number of trials that were
    tried beside the baseline (Bonferroni), pruned ones among them, for those too could have been the best.

    The folds tell how far the choice of the references matters. How far another seed of the training would, only
    repeats (``sweep.repeats``) can tell; the sentence says so where there are none.

    Args:
        trials: Of one study, in any state. Their user attributes ``baseline`` and ``fold_recalls``, a list of the
            folds' recalls for each repeat, are read.
    """
    best = best_of(trials)
    baseline = best_of([trial for trial in trials if trial.user_attrs.get("baseline")])
    tried = sum(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials) - (baseline is not None)
    if best is None or baseline is None:
        return Verdict(
            best=None if best is None else best.number, baseline=None if baseline is None else baseline.number,
            best_value=recall_of(best), baseline_value=recall_of(baseline), difference=math.nan, noise=math.nan,
            tried=tried, folds=0, better=False, sentence=_nothing_to_compare(best),
        )
    differences = _differences(best, baseline)
    difference = recall_of(best) - recall_of(baseline)
    noise = math.nan if best.number == baseline.number else noise_of(differences, LEVEL / max(tried, 1))
    better = bool(difference > noise)
    repeats = len(best.user_attrs.get("fold_recalls") or [])
    return Verdict(
        best=best.number, baseline=baseline.number, best_value=recall_of(best), baseline_value=recall_of(baseline),
        difference=difference, noise=noise, tried=tried, folds=len(differences), better=better,
        sentence=_sentence(best, baseline, noise, tried, better, repeats),
    )


def best_of(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """Return the completed trial of the highest recall, of equal ones the first; None where none is complete."""
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return max(done, key=lambda trial: (recall_of(trial), -trial.number), default=None)


def recall_of(trial: FrozenTrial | None) -> float:
    """Return a trial's recall, which is its first value; NaN where it has none."""
    return math.nan if trial is None or not trial.values else float(trial.values[0])


def folds_of(trial: FrozenTrial) -> list[float]:
    """Return the recalls of all folds of all repeats of a trial."""
    return [value for repeat in trial.user_attrs.get("fold_recalls") or [] for value in _numbers(repeat)]


def noise_of(differences: Sequence[float], level: float) -> float:
    """Return what the mean of paired differences of folds exceeds by luck with a probability of ``level``.

    ``t * sqrt((1/J + 1/2) * s**2)`` with the standard deviation ``s`` of the J differences and the quantile ``t`` of
    Student's distribution of J - 1 degrees of freedom.

    Returns:
        NaN with fewer than two differences, or where all are equal: then nothing tells how they vary.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or np.ptp(values) < 1e-12:
        return math.nan
    variance = (1 / len(values) + TEST_TO_TRAIN) * float(values.var(ddof=1))
    return float(stats.t.isf(level, len(values) - 1)) * math.sqrt(variance)


def _differences(best: FrozenTrial, baseline: FrozenTrial) -> list[float]:
    """Differences of the folds that both trials have, repeat by repeat; a fold without a value is left out."""
    ours, theirs = (trial.user_attrs.get("fold_recalls") or [] for trial in (best, baseline))
    pairs = [pair for one, other in zip(ours, theirs, strict=False)
             for pair in zip(_numbers(one), _numbers(other), strict=False)]
    return [a - b for a, b in pairs if math.isfinite(a - b)]


def _numbers(values: Sequence[float | None]) -> list[float]:
    # JSON of some storages knows no NaN.
    return [math.nan if value is None else float(value) for value in values]


def _nothing_to_compare(best: FrozenTrial | None) -> str:
    if best is None:
        return "No trial was completed, so there is no best one yet."
    return (
        f"The best trial so far is number {best.number} with a recall of {recall_of(best):.3f}. The present settings "
        "have not been through their own trial, so nothing can be said of whether that is better."
    )


def _sentence(
    best: FrozenTrial, baseline: FrozenTrial, noise: float, tried: int, better: bool, repeats: int
) -> str:
    now = f"the present settings (trial {baseline.number})"
    if best.number == baseline.number:
        return (
            f"None of {plural(tried, 'other trial')} did better than {now}, with a recall of {recall_of(best):.3f}."
            if tried else f"Only {now} were tried, with a recall of {recall_of(best):.3f}."
        )
    values = f"a recall of {recall_of(best):.3f} against {recall_of(baseline):.3f} with {now}"
    seed = (
        "" if repeats > 1 else " Each was trained once: what another seed would change is not in this; set "
        "sweep.repeats to see it."
    )
    flattered = "The best of many tries is flattered: expect less of it on other galaxies."
    lead = recall_of(best) - recall_of(baseline)
    if better:
        return (
            f"Trial {best.number} is better: {values}, a lead of {lead:.3f}, where luck alone would seldom "
            f"(one sweep in twenty) let the best of {tried} lead by more than {noise:.3f}. {flattered}{seed}"
        )
    if not math.isfinite(noise):
        return (
            f"Whether trial {best.number} is better cannot be told: {values}, and the folds do not tell how much of "
            "the difference is luck."
        )
    return (
        f"Not better within the noise: trial {best.number} has {values}, a lead of {lead:.3f}, but luck alone can let "
        f"the best of {tried} lead by {noise:.3f}. {flattered}"
    )

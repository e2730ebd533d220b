"""Better or lucky: against a slow reference, and where the truth is known."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from scipy import stats

from mergerscope.search.validation import validation_folds
from mergerscope.sweep.verdict import LEVEL, best_of, judge, noise_of

Folds = list[list[float]]


def trial(number: int, folds: Folds | None, state: TrialState = TrialState.COMPLETE, **attributes: Any) -> FrozenTrial:
    known = [value for repeat in folds or [] for value in repeat if value is not None and math.isfinite(value)]
    made = create_trial(
        state=state, value=statistics.fmean(known) if state == TrialState.COMPLETE else None, params={"x": 0.5},
        distributions={"x": FloatDistribution(0, 1)}, user_attrs={"fold_recalls": folds} | attributes,
    )
    made.number = number
    return made


def study(*folds: Folds) -> list[FrozenTrial]:
    return [trial(number, values, baseline=number == 0) for number, values in enumerate(folds)]


def slow_noise(ours: Folds, theirs: Folds, every: Sequence[Folds], level: float) -> float:
    """The same from the formulas, number by number."""
    repeats = len(ours)
    total, count, squares = 0.0, 0, 0.0
    for r in range(repeats):
        differences = [a - b for a, b in zip(ours[r], theirs[r], strict=True)]
        mean = sum(differences) / len(differences)
        squares += sum((d - mean) ** 2 for d in differences)
        count += len(differences)
    freedom = count - repeats
    references = (1 / count + 1 / 2) * squares / freedom
    if repeats == 1:
        return float(stats.t.ppf(1 - level, freedom)) * references**0.5
    mean = [[statistics.fmean(part) for part in folds] for folds in every]
    grand = statistics.fmean(value for row in mean for value in row)
    for row in mean:
        for r in range(repeats):
            expected = statistics.fmean(row) + statistics.fmean(other[r] for other in mean) - grand
            total += (row[r] - expected) ** 2
    left = (len(mean) - 1) * (repeats - 1)
    seeds = 2 * total / left / repeats
    both = (references + seeds) ** 2 / (references**2 / freedom + seeds**2 / left)
    return float(stats.t.ppf(1 - level, both)) * (references + seeds) ** 0.5


@pytest.mark.parametrize(("trials", "repeats", "folds"), [(2, 1, 6), (20, 1, 3), (2, 2, 6), (9, 3, 4), (5, 2, 2)])
def test_noise_is_that_of_the_formulas(trials: int, repeats: int, folds: int) -> None:
    every = np.random.default_rng(trials).uniform(0.2, 0.8, (trials, repeats, folds)).tolist()
    for level in (0.05, 0.05 / 19):
        assert noise_of(every[1], every[0], every, level) == pytest.approx(
            slow_noise(every[1], every[0], every, level), rel=1e-9
        )


def test_one_repeat_is_the_corrected_resampled_t_test() -> None:
    """p of the published statistic lies at the level where the difference equals the noise."""
    ours, theirs = [0.61, 0.55, 0.70, 0.58, 0.66, 0.62], [0.55, 0.54, 0.62, 0.57, 0.58, 0.60]
    d = np.subtract(ours, theirs)
    t = d.mean() / math.sqrt((1 / 6 + 1 / 2) * d.var(ddof=1))
    p = float(stats.t.sf(t, 5))
    assert noise_of([ours], [theirs], [], p) == pytest.approx(d.mean(), rel=1e-9)


def galaxies(
    rng: np.random.Generator, *, trials: int = 20, repeats: int = 1, references: int = 60, seeds: float = 0.0,
    effect: float = 0.0,
) -> list[FrozenTrial]:
    """Trials of equally good settings, apart from an effect on the last: which references an encoder finds is chance.

    How easily a reference is found is its own; each training adds its own luck to each reference, and ``seeds`` to all.
    """
    ease = rng.normal(0, 1, references)
    folds = [validation_folds(np.arange(references), 6, seed) for seed in range(repeats)]
    values: list[Folds] = []
    for number in range(trials):
        values.append([])
        for repeat in range(repeats):
            luck = rng.normal(0, 1, references) + rng.normal(0, seeds) + (effect if number == trials - 1 else 0.0)
            found = ease + luck > 0
            values[-1].append([float(found[held].mean()) for _, held in folds[repeat]])
    return study(*values)


@pytest.mark.parametrize(
    "world",
    [
        {}, {"references": 12}, {"references": 300}, {"trials": 2}, {"repeats": 2, "seeds": 0.3, "references": 300},
        {"repeats": 3, "seeds": 0.6, "references": 300}, {"repeats": 3},
    ],
    ids=str,
)  # fmt: skip
def test_equal_settings_are_seldom_called_better(world: dict[str, Any]) -> None:
    rng = np.random.default_rng(7)
    sweeps = 300
    said = sum(judge(galaxies(rng, **world)).better for _ in range(sweeps))
    assert said <= LEVEL * sweeps


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_large_effect_is_found(repeats: int) -> None:
    rng = np.random.default_rng(3)
    verdicts = [judge(galaxies(rng, effect=3.0, references=120, repeats=repeats)) for _ in range(20)]
    assert sum(verdict.better and verdict.best == 19 for verdict in verdicts) >= 15


def test_a_better_one_is_told_with_what_remains_unknown() -> None:
    rng = np.random.default_rng(0)
    base = rng.uniform(0.3, 0.4, 6)
    once = judge(study([base.tolist()], [(base + 0.4 + rng.normal(0, 0.01, 6)).tolist()]))
    assert (once.best, once.baseline, once.better, once.tried) == (1, 0, True, 1)
    assert once.difference == pytest.approx(once.best_value - once.baseline_value)
    assert once.sentence.startswith("Better on these galaxies: trial 1 has a recall of 0.7")
    assert "Each was trained once" in once.sentence
    assert "flattered" in once.sentence
    thrice = judge(study(*([(base + shift + rng.normal(0, 0.01, 6)).tolist() for _ in range(3)] for shift in (0, 0.4))))
    assert thrice.better
    assert thrice.sentence.startswith("Better: trial 1")
    assert "trained once" not in thrice.sentence


def test_a_lead_within_the_noise_is_said_to_be_that() -> None:
    verdict = judge(study([[0.5, 0.4, 0.6, 0.5, 0.3, 0.5]], [[0.6, 0.3, 0.7, 0.6, 0.5, 0.2]]))
    assert not verdict.better
    assert 0 < verdict.difference < verdict.noise
    assert verdict.sentence.startswith("Not better within the noise: trial 1")


def test_pruned_trials_were_tried_and_failed_ones_were_not() -> None:
    folds = [[[0.5, 0.4, 0.6, 0.5]], [[0.6, 0.4, 0.7, 0.6]]]
    trials = study(*folds)
    alone = judge(trials)
    pruned = [trial(2 + i, None, TrialState.PRUNED) for i in range(10)]
    failed = [trial(20 + i, None, TrialState.FAIL) for i in range(10)]
    assert judge([*trials, *failed]) == alone
    assert judge([*trials, *pruned]).tried == alone.tried + 10
    assert judge([*trials, *pruned]).noise > alone.noise


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        ([], "No trial was completed"),
        ([trial(0, None, TrialState.FAIL, baseline=True)], "No trial was completed"),
        ([trial(1, [[0.5, 0.6]])], "The present settings have no completed trial"),
        (study([[0.5, 0.6]]), "Only the present settings"),
        (study([[0.5, 0.6]], [[0.4, 0.5]]), "None of 1 other trial did better"),
        (study([[0.5, 0.6]], [[0.5, 0.6]]), "None of 1 other trial did better"),
        (study([[0.5, 0.6]], [[0.6, 0.7]]), "cannot be told"),
        (study([[0.5]], [[0.9]]), "cannot be told"),
        ([trial(0, [[0.5]], baseline=True, fold_recalls=None), trial(1, [[0.9]])], "cannot be told"),
        (study([[0.5, None, math.nan, 0.5]], [[0.9, 0.9, 0.9, 0.9]]), "cannot be told"),
    ],
)  # fmt: skip
def test_too_little_to_judge_by(trials: list[FrozenTrial], words: str) -> None:
    verdict = judge(trials)
    assert words in verdict.sentence
    assert not verdict.better
    assert math.isnan(verdict.noise)


def test_a_fold_without_a_value_is_left_out_of_both() -> None:
    ours, theirs = [0.7, 0.6, 0.9, 0.8], [0.5, 0.55, 0.6, 0.7]
    with_gap = noise_of([[*ours[:2], math.nan, *ours[2:]]], [[*theirs[:2], 0.3, *theirs[2:]]], [], 0.05)
    assert with_gap == noise_of([ours], [theirs], [], 0.05)


def test_the_best_is_the_first_of_equal_ones_and_of_several_objectives_recall_counts() -> None:
    assert best_of(study([[0.5, 0.5]], [[0.6, 0.6]], [[0.6, 0.6]])).number == 1
    sizes = [create_trial(state=TrialState.COMPLETE, values=[recall, size]) for recall, size in ((0.4, 32), (0.6, 512))]
    assert best_of(sizes) is sizes[1]

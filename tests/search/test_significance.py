from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from mergerscope.search import metrics, significance
from mergerscope.search.bootstrap import Split
from mergerscope.search.significance import paired_permutation, welch


def test_welch_is_that_of_scipy():
    generator = np.random.default_rng(0)
    one, other = generator.normal(0.6, 0.05, 5), generator.normal(0.5, 0.2, 7)
    wanted = ttest_ind(one, other, equal_var=False)
    got = welch(one, other)
    assert (got.t, got.p, got.degrees) == pytest.approx((wanted.statistic, wanted.pvalue, wanted.df))


def test_welch_without_spread():
    assert welch([0.5, 0.5], [0.5, 0.5]).p == 1.0
    apart = welch([0.6, 0.6], [0.5, 0.5])
    assert (apart.t, apart.p) == (math.inf, 0.0)


@pytest.mark.parametrize(("one", "other"), [([0.5], [0.4, 0.3]), ([], []), ([0.5, math.nan], [0.4, 0.3])])
def test_welch_says_when_it_cannot_tell(one, other):
    assert math.isnan(welch(one, other).p)


def trial(seed, lift_one=0.0, lift_other=0.0, splits=2, galaxies=120):
    generator = np.random.default_rng(seed)
    made, one, other = [], [], []
    for _ in range(splits):
        positive = np.zeros(galaxies, bool)
        positive[generator.choice(galaxies, 12, replace=False)] = True
        made.append(Split(np.empty(0, int), np.arange(galaxies), positive, positive.astype(float)))
        shared = generator.standard_normal(galaxies)
        one.append(shared + generator.standard_normal(galaxies) + lift_one * positive)
        other.append(shared + generator.standard_normal(galaxies) + lift_other * positive)
    return one, other, made


def test_equal_methods_have_no_difference():
    one, _, splits = trial(0)
    found = paired_permutation(one, one, splits, (5, 20), 100, seed=1)
    assert {test.difference for test in found.values()} == {0.0}
    assert {test.p for test in found.values()} == {1.0}


def test_a_clear_difference_is_found_and_p_is_never_zero():
    one, other, splits = trial(1, lift_one=4.0)
    found = paired_permutation(one, other, splits, (12,), 500, seed=1)
    assert found["average_precision"].p == pytest.approx(1 / 501)
    assert found["precision_at_12"].p < 0.01
    turned = paired_permutation(other, one, splits, (12,), 500, seed=1)
    assert turned["average_precision"].difference == pytest.approx(-found["average_precision"].difference)
    assert turned["average_precision"].p == pytest.approx(found["average_precision"].p, abs=0.01)


def test_the_difference_is_that_of_the_metrics():
    one, other, splits = trial(2, lift_one=1.0)
    found = paired_permutation(one, other, splits, (12,), 10, seed=1)

    def mean(metric):
        pairs = zip(one, other, splits, strict=True)
        return np.mean([metric(a, split.positive) - metric(b, split.positive) for a, b, split in pairs])

    assert found["average_precision"].difference == pytest.approx(mean(metrics.average_precision))
    at_12 = mean(lambda scores, positive: metrics.precision_at(scores, positive, 12))
    assert found["precision_at_12"].difference == pytest.approx(at_12)


def test_p_is_uniform_where_there_is_no_difference():
    values = [
        paired_permutation(*trial(seed, 1.0, 1.0), (12,), 100, seed=seed)["average_precision"].p for seed in range(120)
    ]
    assert np.mean(np.array(values) <= 0.1) < 0.2
    assert np.mean(values) == pytest.approx(0.5, abs=0.08)


def test_p_does_not_depend_on_how_many_lists_are_sorted_at_once(monkeypatch):
    one, other, splits = trial(3, lift_one=0.7)
    whole = paired_permutation(one, other, splits, (12,), 400, seed=1)["average_precision"].p
    monkeypatch.setattr(significance, "CHUNK_VALUES", 120 * 10)
    parts = paired_permutation(one, other, splits, (12,), 400, seed=1)["average_precision"].p
    assert parts == pytest.approx(whole, abs=0.07)


def test_splits_without_a_hidden_merger_are_left_out():
    one, other, splits = trial(4, lift_one=2.0)
    empty = Split(np.empty(0, int), np.arange(120), np.zeros(120, bool), np.zeros(120))
    wanted = paired_permutation(one, other, splits, (12,), 50, seed=1)
    got = paired_permutation([*one, one[0]], [*other, other[0]], [*splits, empty], (12,), 50, seed=1)
    assert got == wanted
    alone = paired_permutation(one[:1], other[:1], [empty], (12,), 50, seed=1)
    assert math.isnan(alone["average_precision"].p)

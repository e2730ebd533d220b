from __future__ import annotations

import math

import numpy as np
import pytest

from mergerscope.search import bootstrap, metrics
from mergerscope.search.bootstrap import Judge, Resamples, Split

MERGERS, OTHERS = 12, 40


def make(splits=3, seed=0, ties=False):
    """Galaxies of which the first are known mergers, splits that hide a third of them, and scores for each split."""
    generator = np.random.default_rng(seed)
    votes = np.r_[generator.uniform(0.5, 1, MERGERS), generator.uniform(0, 0.5, OTHERS)]
    made, scores = [], []
    for _ in range(splits):
        hidden = np.sort(generator.choice(MERGERS, 4, replace=False))
        listed = np.r_[hidden, np.arange(MERGERS, MERGERS + OTHERS)]
        made.append(Split(np.setdiff1d(np.arange(MERGERS), hidden), listed, listed < MERGERS, votes[listed]))
        score = votes + generator.standard_normal(len(votes)) * 0.4
        scores.append(np.round(score, 1 if ties else 9).astype(np.float32))
    return made, scores


def judge(splits, count=60, depths=(5, 10), curve=(3, 20), seed=4):
    strata = np.arange(MERGERS + OTHERS) < MERGERS
    return Judge(splits, Resamples(seed, count, strata, len(splits)), depths, curve, 0.9)


def slow(split, scores, weights, depths, curve):
    """All metrics of one split on copied rows."""
    rows = np.repeat(split.listed, weights[split.listed])
    score, grade = scores[rows], np.repeat(split.grades, weights[split.listed])
    positive = np.repeat(split.positive, weights[split.listed])
    found = {
        "average_precision": metrics.average_precision(score, positive), "auroc": metrics.auroc(score, positive)
    }  # fmt: skip
    for k in (*depths, *curve):
        found[f"precision_at_{k}"] = metrics.precision_at(score, positive, k)
        found[f"recall_at_{k}"] = metrics.recall_at(score, positive, k)
    for k in depths:
        found[f"enrichment_at_{k}"] = metrics.enrichment_at(score, positive, k)
        found[f"ndcg_at_{k}"] = metrics.ndcg_at(score, grade, k)
    return found


@pytest.mark.parametrize("ties", [False, True])
def test_values_and_intervals_are_those_of_resampling_one_by_one(ties):
    splits, scores = make(ties=ties)
    one = judge(splits)
    got = one.measure(scores)
    counts = np.concatenate(list(one.resamples.galaxies()))
    drawn = one.resamples.split_counts()
    plain = [slow(split, s, np.ones(52, int), (5, 10), (3, 20)) for split, s in zip(splits, scores, strict=True)]
    for name, interval in got.items():
        assert interval.value == pytest.approx(np.mean([found[name] for found in plain]), abs=1e-9)
    samples = []
    for weights, times in zip(counts, drawn, strict=True):
        each = [slow(split, s, weights, (5, 10), (3, 20)) for split, s in zip(splits, scores, strict=True)]
        values = np.array([[found[name] for name in got] for found in each])
        known = np.isfinite(values) * times[:, None]
        samples.append((np.nan_to_num(values) * known).sum(axis=0) / known.sum(axis=0))
    low, high = np.nanpercentile(samples, [5, 95], axis=0)
    np.testing.assert_allclose([interval.low for interval in got.values()], low, atol=1e-9)
    np.testing.assert_allclose([interval.high for interval in got.values()], high, atol=1e-9)


def test_by_split_gives_the_values_behind_the_mean():
    splits, scores = make()
    one = judge(splits)
    each = one.by_split(scores)
    assert each["average_precision"].shape == (3,)
    assert one.measure(scores)["average_precision"].value == pytest.approx(each["average_precision"].mean())


def test_each_sample_draws_as_many_of_both_kinds_as_there_are():
    strata = np.arange(52) < MERGERS
    counts = np.concatenate(list(Resamples(1, 200, strata, 3).galaxies()))
    assert counts.shape == (200, 52)
    assert (counts[:, strata].sum(axis=1) == MERGERS).all()
    assert (counts[:, ~strata].sum(axis=1) == OTHERS).all()
    # A galaxy is left out of a sample with chance (1 - 1/n)^n.
    assert (counts[:, ~strata] == 0).mean() == pytest.approx((1 - 1 / OTHERS) ** OTHERS, abs=0.02)
    assert (Resamples(1, 200, strata, 3).split_counts().sum(axis=1) == 3).all()


def test_samples_do_not_depend_on_how_many_are_held_at_once(monkeypatch):
    splits, scores = make()
    whole = judge(splits).measure(scores)
    monkeypatch.setattr(bootstrap, "CHUNK_VALUES", 52 * 7)
    assert judge(splits).measure(scores) == whole


def test_a_perfect_ranking_has_no_spread():
    splits, _ = make()
    scores = np.r_[np.ones(MERGERS), np.zeros(OTHERS)]
    found = judge(splits).measure([scores] * 3)["average_precision"]
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    # Ranks at random have an expected AUROC of one half.
    covered = 0
    for trial in range(60):
        splits, _ = make(splits=1, seed=trial)
        scores = np.random.default_rng(trial).standard_normal(52)
        found = judge(splits, count=200, seed=trial).measure([scores])["auroc"]
        covered += found.low <= 0.5 <= found.high
    assert covered >= 0.75 * 60


def test_without_a_hidden_merger_nothing_is_defined():
    listed = np.arange(MERGERS, MERGERS + OTHERS)
    split = Split(np.arange(MERGERS), listed, np.zeros(OTHERS, bool), np.full(OTHERS, 0.1))
    found = judge([split]).measure([np.random.default_rng(0).standard_normal(52)])
    for name in ("average_precision", "auroc", "recall_at_5", "enrichment_at_10"):
        assert math.isnan(found[name].value)
        assert math.isnan(found[name].low)
    assert found["precision_at_5"].value == 0


def test_an_empty_list_has_no_metric_and_makes_no_trouble():
    split = Split(np.arange(MERGERS), np.empty(0, int), np.empty(0, bool), np.empty(0))
    found = judge([split]).measure([np.zeros(52)])
    assert all(math.isnan(interval.value) for interval in found.values())

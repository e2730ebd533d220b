from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

from mergerscope.search import metrics
from mergerscope.search.ranking import Ranking

# Metrics written down word for word, one list at a time: what the fast ones are held against.


def slow_orders(scores):
    """Every order of the rows in which larger scores come first."""
    levels = sorted(set(scores), reverse=True)
    groups = [[row for row, value in enumerate(scores) if value == level] for level in levels]
    for parts in itertools.product(*(list(itertools.permutations(group)) for group in groups)):
        yield [row for part in parts for row in part]


def slow_expected(metric, scores, labels, *args):
    """Mean of ``metric(labels in ranked order, ...)`` over all orders that the scores allow."""
    values = [metric([labels[row] for row in order], *args) for order in slow_orders(list(scores))]
    return float(np.mean(values))


def slow_precision(labels, k):
    top = labels[:k]
    return sum(top) / len(top) if top else math.nan


def slow_recall(labels, k):
    return sum(labels[:k]) / sum(labels) if sum(labels) else math.nan


def slow_enrichment(labels, k):
    return slow_precision(labels, k) / (sum(labels) / len(labels)) if sum(labels) else math.nan


def slow_average_precision(labels):
    found, total = 0, 0.0
    for place, label in enumerate(labels, start=1):
        if label:
            found += 1
            total += found / place
    return total / found if found else math.nan


def slow_dcg(grades, k):
    return sum(grade / math.log2(1 + place) for place, grade in enumerate(grades[:k], start=1))


def slow_ndcg(grades, k):
    best = slow_dcg(sorted(grades, reverse=True), k)
    return slow_dcg(grades, k) / best if best else math.nan


def slow_auroc(scores, labels):
    wins = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high, yes in zip(scores, labels, strict=True) if yes
        for low, no in zip(scores, labels, strict=True) if not no
    ]
    return float(np.mean(wins)) if wins else math.nan


ROW = st.tuples(st.integers(0, 3), st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
SHORT_LISTS = st.lists(ROW, min_size=1, max_size=6)
DEPTH = st.integers(1, 9)


def same(got: float, wanted: float) -> bool:
    return math.isnan(got) if math.isnan(wanted) else got == pytest.approx(wanted, abs=1e-12)


@settings(max_examples=150, deadline=None)
@given(SHORT_LISTS, DEPTH)
def test_every_metric_is_its_mean_over_all_orders_of_ties(rows, k):
    scores, positive, grades = (np.array(column) for column in zip(*rows, strict=True))
    labels = positive.tolist()
    assert same(metrics.precision_at(scores, positive, k), slow_expected(slow_precision, scores, labels, k))
    assert same(metrics.recall_at(scores, positive, k), slow_expected(slow_recall, scores, labels, k))
    assert same(metrics.enrichment_at(scores, positive, k), slow_expected(slow_enrichment, scores, labels, k))
    assert same(metrics.average_precision(scores, positive), slow_expected(slow_average_precision, scores, labels))
    assert same(metrics.ndcg_at(scores, grades, k), slow_expected(slow_ndcg, scores, grades.tolist(), k))
    assert same(metrics.auroc(scores, positive), slow_auroc(scores.tolist(), labels))


@settings(max_examples=80, deadline=None)
@given(SHORT_LISTS, DEPTH, st.data())
def test_a_weight_counts_as_that_many_copies(rows, k, data):
    scores, positive, grades = (np.array(column) for column in zip(*rows, strict=True))
    one = st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))
    weights = np.array(data.draw(st.lists(one, min_size=1, max_size=3)))
    many = Ranking.of(scores, positive, grades, weights)
    for row, weight in enumerate(weights):
        copied = Ranking.of(np.repeat(scores, weight), np.repeat(positive, weight), np.repeat(grades, weight))
        if not weight.sum():
            continue
        assert metrics.found_of(many, k)[row] == pytest.approx(metrics.found_of(copied, k)[0])
        assert metrics.dcg_of(many, k)[row] == pytest.approx(metrics.dcg_of(copied, k)[0])
        assert same(metrics.average_precision_of(many)[row], metrics.average_precision_of(copied)[0])
        assert same(metrics.auroc_of(many)[row], metrics.auroc_of(copied)[0])


def test_agrees_with_sklearn_on_a_long_list_without_ties():
    generator = np.random.default_rng(0)
    positive = generator.random(3000) < 0.05
    scores = generator.standard_normal(3000) + positive
    grades = generator.random(3000)
    assert metrics.average_precision(scores, positive) == pytest.approx(average_precision_score(positive, scores))
    assert metrics.auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))
    assert metrics.ndcg_at(scores, grades, 100) == pytest.approx(ndcg_score([grades], [scores], k=100))


def test_metrics_do_not_depend_on_the_order_of_the_rows():
    generator = np.random.default_rng(1)
    positive, scores = generator.random(500) < 0.1, generator.integers(0, 40, 500)
    shuffled = generator.permutation(500)
    for metric in (metrics.average_precision, metrics.auroc):
        assert metric(scores, positive) == pytest.approx(metric(scores[shuffled], positive[shuffled]), abs=1e-12)


def test_k_beyond_the_list_means_the_whole_list():
    scores, positive = [3.0, 2.0, 1.0], [True, False, False]
    assert metrics.precision_at(scores, positive, 100) == pytest.approx(1 / 3)
    assert metrics.recall_at(scores, positive, 100) == 1.0
    assert metrics.enrichment_at(scores, positive, 100) == pytest.approx(1.0)
    assert metrics.ndcg_at(scores, [1.0, 0.0, 0.0], 100) == 1.0


def test_without_a_positive_nothing_but_precision_is_defined():
    scores, positive = [2.0, 1.0], [False, False]
    assert metrics.precision_at(scores, positive, 1) == 0.0
    for value in (
        metrics.recall_at(scores, positive, 1),
        metrics.enrichment_at(scores, positive, 1),
        metrics.average_precision(scores, positive),
        metrics.auroc(scores, positive),
        metrics.ndcg_at(scores, [0.0, 0.0], 1),
    ):
        assert math.isnan(value)


def test_an_empty_list_has_no_metric():
    for metric in (metrics.precision_at, metrics.recall_at, metrics.enrichment_at, metrics.ndcg_at):
        assert math.isnan(metric([], [], 5))
    assert math.isnan(metrics.average_precision([], []))
    assert math.isnan(metrics.auroc([], []))


def test_only_positives_have_no_auroc_and_a_perfect_average_precision():
    assert math.isnan(metrics.auroc([1.0, 2.0], [True, True]))
    assert metrics.average_precision([1.0, 2.0], [True, True]) == 1.0


def test_one_score_for_all_is_chance():
    positive = np.arange(200) < 10
    assert metrics.precision_at(np.zeros(200), positive, 20) == pytest.approx(0.05)
    assert metrics.auroc(np.zeros(200), positive) == 0.5

"""Each ranker against its definition, written down row by row."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.covariance import shrunk_covariance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity

from mergerscope.errors import ContractError
from mergerscope.params import RankParams
from mergerscope.search import background
from mergerscope.search import store as store_module
from mergerscope.search.metrics import average_precision
from mergerscope.search.moments import SHRINKAGE
from mergerscope.search.rankers import RANKERS, available, blend, density, logistic, score
from mergerscope.search.store import EmbeddingStore

SETTINGS = RankParams()


def whitened(values):
    centred = values - values.mean(axis=0)
    covariance = shrunk_covariance(np.cov(centred.T, ddof=0), SHRINKAGE)
    return centred @ np.linalg.cholesky(np.linalg.inv(covariance))


def units(values):
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.fixture
def references(planted):
    return planted.mergers[::2]


@pytest.fixture
def exact(planted):
    return planted.values.astype(np.float64)


def test_mean_cosine_is_the_mean_over_all_pairs(planted, on_disk, references, exact, monkeypatch):
    monkeypatch.setattr(store_module, "BLOCK_VALUES", 64 * 24)
    wanted = cosine_similarity(exact, exact[references]).mean(axis=1)
    for store in (planted.store, EmbeddingStore.open(on_disk)):
        np.testing.assert_allclose(score("mean_cosine", store, references, SETTINGS), wanted, atol=1e-5)


def test_centred_is_mean_cosine_from_the_middle(planted, references, exact):
    moved = exact - exact.mean(axis=0)
    wanted = cosine_similarity(moved, moved[references]).mean(axis=1)
    np.testing.assert_allclose(score("centred", planted.store, references, SETTINGS), wanted, atol=1e-5)


def test_whitened_is_mean_cosine_after_shrinkage_whitening(planted, references, exact):
    white = whitened(exact)
    wanted = cosine_similarity(white, white[references]).mean(axis=1)
    np.testing.assert_allclose(score("whitened", planted.store, references, SETTINGS), wanted, atol=1e-4)


def test_nearest_is_the_mean_of_the_largest(planted, references, exact):
    white = whitened(exact)
    wanted = np.sort(cosine_similarity(white, white[references]), axis=1)[:, -7:].mean(axis=1)
    got = score("nearest", planted.store, references, RankParams(nearest_references=7))
    np.testing.assert_allclose(got[planted.others], wanted[planted.others], atol=1e-4)


def slow_cosines(values, rows):
    cosine = cosine_similarity(whitened(values), whitened(values)[rows])
    cosine[rows, np.arange(len(rows))] = -1
    return cosine


def test_contrast_is_the_difference_of_two_means(planted, references, exact):
    background = np.setdiff1d(np.arange(600), references)
    near = np.sort(slow_cosines(exact, references), axis=1)[:, -10:].mean(axis=1)
    far = np.sort(slow_cosines(exact, background), axis=1)[:, -30:].mean(axis=1)
    got = score("contrast", planted.store, references, RankParams(nearest_references=10, nearest_background=30))
    np.testing.assert_allclose(got, near - far, atol=1e-4)


def test_density_is_the_log_ratio_of_two_kernel_densities(planted, references, exact):
    background = np.setdiff1d(np.arange(600), references)
    white = units(whitened(exact))[background]
    spread = (white @ white.T)[~np.eye(len(white), dtype=bool)].std()
    near, far = slow_cosines(exact, references), slow_cosines(exact, background)
    wanted = (
        logsumexp(near / (density.REFERENCE_WIDTH * spread), axis=1) - math.log(len(references))
        - logsumexp(far / (density.BACKGROUND_WIDTH * spread), axis=1) + math.log(len(background))
    )  # fmt: skip
    np.testing.assert_allclose(score("density", planted.store, references, SETTINGS), wanted, rtol=1e-3, atol=2e-3)


def test_lda_is_fishers_direction(planted, references, exact):
    covariance = shrunk_covariance(np.cov(exact.T, ddof=0), SHRINKAGE)
    direction = np.linalg.solve(covariance, exact[references].mean(axis=0) - exact.mean(axis=0))
    wanted = (exact - exact.mean(axis=0)) @ direction
    np.testing.assert_allclose(score("lda", planted.store, references, SETTINGS), wanted, rtol=1e-3, atol=1e-3)


def test_balanced_logistic_is_that_of_sklearn():
    generator = np.random.default_rng(5)
    features = generator.standard_normal((300, 8)).astype(np.float32)
    positive = np.arange(300) < 30
    features[positive, 0] += 1
    # sklearn: C * sum of weighted losses + ridge / 2, with weights n / (2 n_class).
    model = LogisticRegression(C=1 / (300 * 0.05), class_weight="balanced", tol=1e-8, max_iter=1000)
    model.fit(features, positive)
    got = logistic.balanced_logistic(features, positive, 0.05)
    np.testing.assert_allclose(got, model.coef_[0], atol=2e-3)


def test_pairs_head_is_the_logit_and_needs_one(planted):
    np.testing.assert_array_equal(score("pairs_head", planted.store, [0], SETTINGS), planted.logits)
    without = EmbeddingStore.from_array(planted.ids, planted.values)
    assert set(available(planted.store)) - set(available(without)) == {"pairs_head", "blend"}
    with pytest.raises(ContractError, match=r"objective.pairs.weight"):
        score("pairs_head", without, [0], SETTINGS)


def test_blend_gives_weight_to_a_logit_that_helps_and_none_to_noise(planted, references):
    rest = np.setdiff1d(np.arange(600), references)
    positive = np.isin(rest, planted.mergers)

    def reached(name, logits):
        store = EmbeddingStore.from_array(planted.ids, planted.values, logits)
        return average_precision(score(name, store, references, SETTINGS)[rest], positive)

    noise = np.random.default_rng(0).standard_normal(600)
    strong = noise + 3 * np.isin(np.arange(600), planted.mergers)
    assert reached("blend", strong) > reached("density", strong) + 0.02
    assert reached("blend", noise) > reached("density", noise) - 0.02
    assert blend.WEIGHTS[0] == 0


@pytest.mark.parametrize("name", RANKERS)
def test_every_ranker_finds_what_was_planted(planted, references, name):
    rest = np.setdiff1d(np.arange(600), references)
    positive = np.isin(rest, planted.mergers)
    got = average_precision(score(name, planted.store, references, SETTINGS)[rest], positive)
    floor = {"mean_cosine": 0.06, "centred": 0.08}.get(name, 0.2)
    assert got > floor
    assert positive.mean() < 0.06


@pytest.mark.parametrize("name", RANKERS)
def test_every_ranker_takes_one_reference_and_gives_finite_float32(planted, name):
    scores = score(name, planted.store, [5], SETTINGS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", RANKERS)
def test_every_ranker_takes_a_survey_of_references_alone(planted, name):
    store = planted.store.subset(np.arange(4))
    assert np.isfinite(score(name, store, np.arange(4), SETTINGS)).all()


@pytest.mark.parametrize("name", RANKERS)
def test_every_ranker_repeats_bit_for_bit(planted, references, name):
    first, second = (score(name, planted.store, references, SETTINGS) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["mean_cosine", "whitened", "nearest", "contrast", "density", "lda", "logistic"])
def test_the_order_of_the_rows_does_not_matter(planted, references, name):
    shuffled = np.random.default_rng(6).permutation(600)
    store = planted.store.subset(shuffled)
    got = score(name, store, np.flatnonzero(np.isin(shuffled, references)), SETTINGS)
    wanted = score(name, planted.store, references, SETTINGS)[shuffled]
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("name", ["contrast", "density", "logistic", "blend"])
def test_a_sample_stands_for_a_large_background(planted, references, name, monkeypatch):
    wanted = score(name, planted.store, references, SETTINGS)
    for module in ("contrast", "density", "blend"):
        monkeypatch.setattr(f"mergerscope.search.rankers.{module}.BACKGROUND", 300)
    monkeypatch.setattr("mergerscope.search.rankers.logistic.FITTED", 300)
    got = score(name, planted.store, references, SETTINGS)
    assert len(background.sample_background(planted.store, references, 300)) == 300
    assert np.corrcoef(got, wanted)[0, 1] > 0.9


@pytest.mark.parametrize("name", ["contrast", "density", "logistic", "blend"])
def test_twins_of_references_are_no_background(planted, references, name, monkeypatch):
    """Twins come out as if the background had been chosen by hand without them."""
    twins = planted.others[:150]
    got = score(name, planted.store, references, SETTINGS, twins)
    assert np.abs(got - score(name, planted.store, references, SETTINGS)).max() > 1e-3
    by_hand = np.setdiff1d(np.arange(600), np.r_[references, twins])
    for module in ("contrast", "density", "logistic", "blend"):
        monkeypatch.setattr(f"mergerscope.search.rankers.{module}.sample_background", lambda *_: by_hand)
    np.testing.assert_array_equal(got, score(name, planted.store, references, SETTINGS))


def test_an_embedding_of_zeros_is_like_nothing():
    values = np.random.default_rng(7).standard_normal((20, 4)).astype(np.float32)
    values[3] = 0
    store = EmbeddingStore.from_array([str(row) for row in range(20)], values)
    assert score("mean_cosine", store, [0, 1], SETTINGS)[3] == 0


def test_what_cannot_be_ranked_is_refused(planted):
    with pytest.raises(ContractError, match="there is no ranker 'best'; known are mean_cosine"):
        score("best", planted.store, [0], SETTINGS)
    with pytest.raises(ContractError, match="no galaxy is a reference"):
        score("lda", planted.store, [], SETTINGS)
    values = planted.values.copy()
    values[17, 3] = np.nan
    broken = EmbeddingStore.from_array(planted.ids, values)
    with pytest.raises(ContractError, match="the score of 1 galaxies is not a finite number, the first is g0017"):
        score("mean_cosine", broken, [0], SETTINGS)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.errors import ContractError
from mergerscope.search import alike
from mergerscope.search import store as store_module
from mergerscope.search.alike import Queries, most_alike
from mergerscope.search.moments import pool_moments
from mergerscope.search.store import EmbeddingStore


def slow(values, store, vectors, owner):
    """Likeness (N, Q) as the definition says it."""
    moments = pool_moments(store)

    def unit(rows):
        white = (rows - moments.mean) @ moments.whitening
        return white / np.linalg.norm(white, axis=1, keepdims=True)

    cosine = unit(values) @ unit(vectors).T
    return np.stack([cosine[:, np.asarray(owner) == q].mean(axis=1) for q in range(max(owner) + 1)], axis=1)


@pytest.mark.parametrize("owner", [[0], [0, 1, 2], [0, 0, 1], [0, 1, 1, 1, 2, 3], [0, 1, 2, 3, 4, 5, 6]])
@pytest.mark.parametrize("values", [64 * 24, 24 * 170, 1 << 20])
def test_likeness_is_the_mean_over_the_best_half_of_the_queries(planted, on_disk, monkeypatch, owner, values):
    monkeypatch.setattr(store_module, "BLOCK_VALUES", values)
    store = EmbeddingStore.open(on_disk)
    vectors = planted.values[[3, 500, 77, 41, 8, 19, 333][: len(owner)]] + 0.1
    queries = Queries.of(pool_moments(store), vectors, owner)
    found = most_alike(store, queries, 40)
    likeness = slow(planted.values, store, vectors, owner)
    half = {1: 1, 2: 1, 3: 2, 4: 2, 7: 4}[likeness.shape[1]]
    score = np.sort(likeness, axis=1)[:, -half:].mean(axis=1)
    np.testing.assert_array_equal(found.rows, np.argsort(-score)[:40])
    np.testing.assert_allclose(found.similarity, score[found.rows], atol=1e-5)
    np.testing.assert_array_equal(found.nearest, likeness[found.rows].argmax(axis=1))


def test_what_is_left_out_is_not_found_and_the_rest_is(planted):
    store = planted.store
    queries = Queries.of(pool_moments(store), store.rows([5]), [0])
    everything = most_alike(store, queries, 10_000)
    assert sorted(everything.rows) == list(range(600))
    assert everything.rows[0] == 5
    without = most_alike(store, queries, 10_000, leave_out=[5, 7])
    np.testing.assert_array_equal(without.rows, everything.rows[~np.isin(everything.rows, [5, 7])])


@given(st.integers(1, 80), st.integers(0, 5))
def test_looking_among_some_gives_the_best_of_them(count, seed):
    draw = np.random.default_rng(seed)
    store = EmbeddingStore.from_array([f"{row:03d}" for row in range(200)], draw.normal(size=(200, 6)))
    queries = Queries.of(pool_moments(store), draw.normal(size=(3, 6)), [0, 1, 1])
    every = most_alike(store, queries, 200).rows
    among = draw.choice(200, 90, replace=False)
    np.testing.assert_array_equal(most_alike(store, queries, count, among=among).rows,
                                  every[np.isin(every, among)][:count])


def test_equal_galaxies_come_in_the_order_of_their_ids_whichever_block_they_lie_in(monkeypatch):
    monkeypatch.setattr(store_module, "BLOCK_VALUES", 64 * 4)
    monkeypatch.setattr(alike, "KEPT", 0)
    values = np.random.default_rng(0).normal(size=(900, 4))
    same = np.arange(10, 900, 17)
    values[same] = values[10]
    ids = np.array([f"{number:04d}" for number in np.random.default_rng(1).permutation(900)])
    store = EmbeddingStore.from_array(ids, values)
    queries = Queries.of(pool_moments(store), values[[10]], [0])
    found = most_alike(store, queries, 20)
    assert store.ids[found.rows].tolist() == sorted(ids[same])[:20]


def test_queries_of_another_length_are_refused(planted):
    with pytest.raises(ContractError, match="finite vectors of 24 numbers"):
        Queries.of(pool_moments(planted.store), np.zeros((1, 23), np.float32), [0])
    with pytest.raises(ContractError, match="finite vectors"):
        Queries.of(pool_moments(planted.store), np.full((1, 24), np.nan, np.float32), [0])


def test_the_vector_that_suits_best_is_told(planted):
    store = planted.store
    vectors = store.rows([100, 3, 200, 300, 4])
    queries = Queries.of(pool_moments(store), vectors, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(queries.nearest_vectors(store, planted.mergers), [1, 4])

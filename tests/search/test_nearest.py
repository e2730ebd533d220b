from __future__ import annotations

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from mergerscope.search.moments import pool_moments
from mergerscope.search.nearest import nearest_references
from mergerscope.search.store import EmbeddingStore


def test_the_most_similar_references_come_first(planted):
    store, references = planted.store, planted.mergers
    rows = np.r_[planted.others[100:150], planted.mergers[:3]]
    found, similarity = nearest_references(store, rows, references, 3)
    moments = pool_moments(store)
    white = (planted.values - moments.mean) @ moments.whitening
    wanted = cosine_similarity(white[rows], white[references])
    wanted[np.equal.outer(rows, references)] = -np.inf
    order = np.argsort(-wanted, axis=1)[:, :3]
    np.testing.assert_array_equal(found, references[order])
    np.testing.assert_allclose(similarity, np.take_along_axis(wanted, order, axis=1), atol=1e-5)


def test_a_reference_is_not_its_own_neighbour(planted):
    found, _ = nearest_references(planted.store, planted.mergers, planted.mergers, 1)
    assert (found[:, 0] != planted.mergers).all()


def test_fewer_references_than_columns_leave_the_rest_empty(planted):
    found, similarity = nearest_references(planted.store, [0, 100], [0, 7], 3)
    np.testing.assert_array_equal(found, [[7, -1, -1], [found[1, 0], found[1, 1], -1]])
    np.testing.assert_array_equal(np.isnan(similarity), [[False, True, True], [False, False, True]])


def test_equal_references_come_in_the_order_of_the_catalogue(planted):
    values = planted.values.copy()
    values[[20, 40]] = values[10]
    store = EmbeddingStore.from_array(planted.ids, values)
    found, _ = nearest_references(store, [300], [10, 20, 40], 3)
    np.testing.assert_array_equal(found, [[10, 20, 40]])


def test_equal_references_among_many_come_in_the_order_of_the_catalogue(planted):
    values = planted.values.copy()
    values[[20, 33, 40, 59]] = values[10]
    store = EmbeddingStore.from_array(planted.ids, values)
    every, wanted = nearest_references(store, planted.others, planted.mergers, len(planted.mergers))
    for count in (1, 2, 3):
        found, similarity = nearest_references(store, planted.others, planted.mergers, count)
        np.testing.assert_array_equal(found, every[:, :count])
        np.testing.assert_array_equal(similarity, wanted[:, :count])
    assert (every[:, 1:][wanted[:, 1:] == wanted[:, :-1]] > every[:, :-1][wanted[:, 1:] == wanted[:, :-1]]).all()


def test_the_order_of_the_galaxies_does_not_matter(planted):
    rows = np.random.default_rng(0).permutation(600)
    shuffled, near = nearest_references(planted.store, rows, planted.mergers, 3)
    plain, wanted = nearest_references(planted.store, np.arange(600), planted.mergers, 3)
    np.testing.assert_array_equal(shuffled, plain[rows])
    np.testing.assert_array_equal(near, wanted[rows])


def test_a_ranked_list_is_read_in_the_order_of_the_files(on_disk, planted, monkeypatch):
    store = EmbeddingStore.open(on_disk)
    store_rows, asked = EmbeddingStore.rows, []
    monkeypatch.setattr(EmbeddingStore, "rows", lambda self, rows: (asked.append(rows), store_rows(self, rows))[1])
    nearest_references(store, np.random.default_rng(0).permutation(600), planted.mergers, 3)
    read = np.concatenate(asked[1:])
    np.testing.assert_array_equal(read, np.arange(600))

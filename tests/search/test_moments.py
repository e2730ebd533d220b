from __future__ import annotations

import numpy as np
import pytest

from mergerscope.search import store as store_module
from mergerscope.search import stream
from mergerscope.search.moments import pool_mean, pool_moments
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import map_blocks, score_blocks


def of(values):
    return EmbeddingStore.from_array([str(row) for row in range(len(values))], values)


def test_moments_are_those_of_numpy_also_far_from_the_origin(monkeypatch):
    monkeypatch.setattr(store_module, "BLOCK_VALUES", 6 * 64)
    values = (np.random.default_rng(0).standard_normal((1000, 6)) * [1, 2, 3, 4, 5, 0.1] + 500).astype(np.float32)
    moments = pool_moments(of(values))
    np.testing.assert_allclose(moments.mean, values.astype(np.float64).mean(axis=0), rtol=1e-7)
    wanted = np.cov(values.astype(np.float64).T, ddof=0)
    np.testing.assert_allclose(moments.covariance, wanted, rtol=1e-4, atol=1e-4)


def test_the_mean_alone_is_that_of_the_moments(monkeypatch):
    monkeypatch.setattr(store_module, "BLOCK_VALUES", 6 * 64)
    values = (np.random.default_rng(0).standard_normal((1000, 6)) + 500).astype(np.float32)
    alone = pool_mean(of(values))
    store = of(values)
    np.testing.assert_array_equal(alone, pool_moments(store).mean)
    assert pool_mean(store) is pool_moments(store).mean


def test_moments_are_measured_once():
    store = of(np.random.default_rng(0).standard_normal((50, 3)))
    assert pool_moments(store) is pool_moments(store)


def test_whitening_turns_with_the_embedding():
    generator = np.random.default_rng(1)
    values = generator.standard_normal((400, 5)) @ np.diag([5, 3, 1, 0.5, 0.1])
    turn, _ = np.linalg.qr(generator.standard_normal((5, 5)))
    likeness = []
    for embedded in (values, 7 * values @ turn + 3):
        store = of(embedded.astype(np.float32))
        moments = pool_moments(store)
        white = (store.rows(np.arange(400)) - moments.mean) @ moments.whitening
        likeness.append(white @ white.T)
    np.testing.assert_allclose(likeness[0], likeness[1], atol=1e-3)


def test_what_never_varies_has_no_weight():
    values = np.random.default_rng(2).standard_normal((100, 4)).astype(np.float32)
    values[:, 2] = 9
    whitening = pool_moments(of(values)).whitening
    np.testing.assert_allclose(whitening[2], 0, atol=1e-6)
    assert np.isfinite(whitening).all()


def test_equal_rows_leave_nothing_to_whiten():
    assert not pool_moments(of(np.ones((10, 3), np.float32))).whitening.any()


@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_are_mapped_in_order_on_any_number_of_threads(monkeypatch, threads):
    monkeypatch.setattr(store_module, "BLOCK_VALUES", 64 * 3)
    monkeypatch.setattr(stream, "THREADS", threads)
    values = np.random.default_rng(4).standard_normal((5000, 3)).astype(np.float32)
    store = of(values)
    starts = list(map_blocks(store, lambda start, block: start))
    assert starts == list(range(0, 5000, 64))
    assert list(map_blocks(store, lambda start, block: len(block), rows=3000)) == [3000, 2000]
    np.testing.assert_array_equal(score_blocks(store, lambda start, block: block[:, 1] + start * 0), values[:, 1])


def test_an_error_in_a_block_comes_out():
    def fail(start, block):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(map_blocks(of(np.ones((10, 3), np.float32)), fail))

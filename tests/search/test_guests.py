"""Guests of a store are scored and leave every other score as it was."""

from __future__ import annotations

import numpy as np
import pytest

from mergerscope.errors import ContractError
from mergerscope.params import RankParams
from mergerscope.search.background import sample_background
from mergerscope.search.moments import pool_moments
from mergerscope.search.rankers import RANKERS, score
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write_store import StoreWriter

ROWS, GUESTS, DIM = 300, 40, 12


def _store(seed, count, shift=0.0, name="g"):
    rng = np.random.default_rng(seed)
    array = (shift + rng.standard_normal((count, DIM))).astype(np.float16)
    return EmbeddingStore.from_array([f"{name}{i:03d}" for i in range(count)], array, rng.standard_normal(count))


@pytest.mark.parametrize("ranker", RANKERS)
def test_guests_change_no_score_and_do_not_know_each_other(ranker):
    survey, references = _store(0, ROWS), np.arange(20)
    # far from the survey: in its moments they would be felt
    guests = _store(1, GUESTS, shift=5.0, name="x")
    alone = score(ranker, survey, references, RankParams())
    together = score(ranker, survey.with_guests(guests), references, RankParams())
    assert together.shape == (ROWS + GUESTS,)
    assert np.allclose(together[:ROWS], alone, rtol=1e-4, atol=1e-5)
    one = score(ranker, survey.with_guests(guests.subset([7])), references, RankParams())
    assert one[-1] == pytest.approx(together[ROWS + 7], rel=1e-4, abs=1e-5)


def test_moments_and_background_are_the_survey_s():
    survey, guests = _store(0, ROWS), _store(1, GUESTS, shift=5.0, name="x")
    joined = survey.with_guests(guests)
    assert joined.survey is survey
    assert survey.survey is survey
    assert pool_moments(joined) is pool_moments(survey)
    assert sample_background(joined, np.arange(5), 10_000).max() == ROWS - 1
    assert joined.rows([0, ROWS, ROWS + 3]).tolist() == [
        survey.rows([0])[0].tolist(), guests.rows([0])[0].tolist(), guests.rows([3])[0].tolist()
    ]


def test_guests_join_a_store_on_disk(tmp_path):
    survey, guests = _store(0, ROWS), _store(1, GUESTS, name="x")
    writer = StoreWriter(tmp_path)
    for start in (0, 100):
        stop = 100 if start == 0 else ROWS
        writer.add(survey.ids[start:stop].tolist(), survey.rows(range(start, stop)), survey.pairs_logit[start:stop])
    writer.close()
    joined = EmbeddingStore.open(tmp_path).with_guests(guests)
    assert joined.size == ROWS + GUESTS
    assert np.array_equal(joined.rows(range(ROWS + GUESTS))[ROWS:], guests.rows(range(GUESTS)))
    read = np.concatenate([block.copy() for _, block in joined.blocks()])
    assert np.array_equal(read[:ROWS], survey.rows(range(ROWS)))


def test_guests_that_do_not_fit_are_refused():
    survey = _store(0, ROWS)
    with pytest.raises(ContractError, match="guests of 3 numbers"):
        survey.with_guests(EmbeddingStore.from_array(["a"], np.zeros((1, 3)), [0.0]))
    with pytest.raises(ContractError, match="logits"):
        survey.with_guests(EmbeddingStore.from_array(["a"], np.zeros((1, DIM))))

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mergerscope.errors import ContractError
from mergerscope.params import RankParams
from mergerscope.search import validation
from mergerscope.search.choose import choose_ranker
from mergerscope.search.metrics import average_precision, recall_at
from mergerscope.search.rankers import RANKERS, available, score
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.validation import validate, validation_folds

SETTINGS = RankParams(folds=3)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 500), min_size=2, max_size=60), st.integers(1, 8), st.integers(0, 5))
def test_folds_divide_the_references_and_hold_each_out_about_equally_often(references, folds, seed):
    made = validation_folds(sorted(references), folds, seed)
    assert len(made) == folds
    times = dict.fromkeys(references, 0)
    for kept, held in made:
        assert set(kept) | set(held) == references
        assert not set(kept) & set(held)
        assert len(held) == max(1, round(len(references) / 3))
        for row in held.tolist():
            times[row] += 1
    assert max(times.values()) - min(times.values()) <= 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=2, max_size=40), st.integers(1, 8), st.integers(0, 5))
def test_references_with_equal_pixels_are_never_one_kept_and_one_held(pictures, folds, seed):
    references = np.arange(len(pictures)) * 3 + 1
    numbers = np.array(pictures)
    made = validation_folds(references, folds, seed, numbers)
    assert len(made) == (folds if len(set(pictures)) > 1 else 0)
    for kept, held in made:
        np.testing.assert_array_equal(np.sort(np.r_[kept, held]), references)
        sides = [set(numbers[(side - 1) // 3].tolist()) for side in (kept, held)]
        assert not sides[0] & sides[1]
        assert len(sides[1]) == max(1, round(len(set(pictures)) / 3))


def test_the_number_of_a_picture_has_no_part_in_the_draw():
    rows, plain = [5, 1, 9, 7, 3], validation_folds([5, 1, 9, 7, 3], 4, 1)
    for numbers in ([40, 2, 7, -3, 1], [0, 1, 2, 3, 4]):
        for (_, held), (_, wanted) in zip(validation_folds(rows, 4, 1, numbers), plain, strict=True):
            np.testing.assert_array_equal(held, wanted)


def test_twins_among_the_references_do_not_flatter_a_ranker(planted):
    """Noise that stands twice: whoever keeps one copy would find the other; divided by pictures, nobody does."""
    values = np.random.default_rng(0).standard_normal((400, 24)).astype(np.float32)
    values[20:40] = values[:20]
    store = EmbeddingStore.from_array([f"g{row:03d}" for row in range(400)], values)
    pictures = np.r_[np.arange(20), np.arange(20), np.arange(100, 460)]
    rank_by = RankParams(nearest_references=1)
    blind = validate(store, np.arange(40), np.arange(40, 400), "nearest", rank_by, 20, 6, 0)
    found = validate(store, np.arange(40), np.arange(40, 400), "nearest", rank_by, 20, 6, 0, pictures=pictures)
    assert blind.average_precision > 0.5
    assert found.average_precision < 0.2


def test_one_picture_under_several_ids_is_one_reference(planted):
    pictures = np.arange(600)
    pictures[planted.mergers[:3]] = 0
    choice = choose_ranker(planted.store, planted.mergers[:3], planted.others, SETTINGS, 20, 0, pictures=pictures)
    assert choice.ranker == "mean_cosine"
    assert {line["folds"] for line in choice.table} == {0}


def test_folds_repeat_and_do_not_depend_on_the_order_of_the_references():
    first, second = validation_folds([5, 1, 9, 7], 4, 1), validation_folds([9, 7, 5, 1], 4, 1)
    for (kept, held), (kept_too, held_too) in zip(first, second, strict=True):
        np.testing.assert_array_equal(kept, kept_too)
        np.testing.assert_array_equal(held, held_too)
    assert any((a[1] != b[1]).any() for a, b in zip(first, validation_folds([1, 5, 7, 9], 4, 2), strict=True))


def test_one_reference_cannot_be_divided(planted):
    assert validation_folds([3], 5, 0) == []
    found = validate(planted.store, [3], planted.others, "lda", SETTINGS, 10, 3, 0)
    assert math.isnan(found.recall_at_k)
    assert math.isnan(found.average_precision)


def test_a_fold_is_what_hiding_by_hand_gives(planted):
    references, pool = planted.mergers[:30], planted.others[:200]
    background = np.setdiff1d(np.arange(600), np.r_[references, pool])
    got = validate(planted.store, references, pool, "lda", SETTINGS, 15, 2, 7)
    assert got.k == 15
    for fold, (kept, held) in zip(got.per_fold, validation_folds(references, 2, 7), strict=True):
        order = np.r_[references, pool, background]
        scores = score("lda", planted.store.subset(order), np.searchsorted(references, kept), SETTINGS)
        scores = dict(zip(order.tolist(), scores, strict=True))
        listed = np.array([scores[row] for row in np.r_[held, pool].tolist()])
        positive = np.arange(len(listed)) < len(held)
        assert fold["average_precision"] == pytest.approx(average_precision(listed, positive), abs=1e-6)
        assert fold["recall_at_k"] == pytest.approx(recall_at(listed, positive, 15))
    assert got.average_precision == pytest.approx(np.mean([fold["average_precision"] for fold in got.per_fold]))


@pytest.mark.parametrize("name", RANKERS)
def test_rows_out_of_references_pool_and_background_cannot_matter(planted, name):
    """Poison: the hidden mergers are replaced by copies of references, by noise, and by NaN."""
    references, hidden, pool = planted.mergers[:40], planted.mergers[40:], planted.others[:300]
    background = planted.others[300:]
    found = []
    for poison in (planted.values[hidden], planted.values[references[:20]], np.full((20, 24), np.nan)):
        values, logits = planted.values.copy(), planted.logits.copy()
        values[hidden], logits[hidden] = poison, poison[:, 0]
        store = EmbeddingStore.from_array(planted.ids, values, logits)
        found.append(validate(store, references, pool, name, SETTINGS, 20, 2, 0, background=background))
    assert found[0] == found[1] == found[2]


def test_the_choice_cannot_see_the_hidden_mergers(planted):
    references, hidden, pool = planted.mergers[:40], planted.mergers[40:], planted.others[:300]
    choices = []
    for poison in (0.0, 50.0):
        values = planted.values.copy()
        values[hidden] += poison
        store = EmbeddingStore.from_array(planted.ids, values, planted.logits)
        choices.append(choose_ranker(store, references, pool, SETTINGS, 20, 0, background=planted.others[300:]))
    assert choices[0] == choices[1]


def test_large_pools_are_sampled(planted, monkeypatch):
    monkeypatch.setattr(validation, "POOL", 100)
    arena = validation.Arena.of(planted.store, planted.mergers[:40], planted.others)
    assert (len(arena.references), len(arena.pool), arena.store.size) == (40, 100, 160)
    assert not set(arena.store.ids[arena.pool]) & {planted.ids[row] for row in planted.mergers}


def test_a_pool_of_references_alone_is_refused(planted):
    with pytest.raises(ContractError, match="needs pool galaxies"):
        validate(planted.store, [1, 2, 3], [1, 2], "lda", SETTINGS, 10, 2, 0)


def test_auto_takes_the_best_on_held_out_references(planted):
    choice = choose_ranker(planted.store, planted.mergers, planted.others, SETTINGS, 20, 0)
    assert [line["ranker"] for line in choice.table] == list(available(planted.store))
    best = max(choice.table, key=lambda line: line["average_precision"])
    assert choice.ranker == best["ranker"]
    assert [line["ranker"] for line in choice.table if line["chosen"]] == [choice.ranker]
    assert "3 folds" in choice.reason
    assert best["k"] == 20


def test_a_set_ranker_is_taken_and_still_validated(planted):
    choice = choose_ranker(planted.store, planted.mergers, planted.others, RankParams(ranker="lda", folds=2), 20, 0)
    assert choice.ranker == "lda"
    assert len(choice.table) == 1
    assert choice.table[0]["average_precision"] > 0.2


def test_with_one_reference_the_simplest_is_taken(planted):
    choice = choose_ranker(planted.store, planted.mergers[:1], planted.others, SETTINGS, 20, 0)
    assert choice.ranker == "mean_cosine"
    assert {line["average_precision"] for line in choice.table} == {None}
    assert "one reference" in choice.reason

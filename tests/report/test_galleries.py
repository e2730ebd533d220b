import numpy as np

from mergerscope.report.failures import find_failures, judged_order
from mergerscope.report.galleries import candidate_gallery, reference_gallery
from mergerscope.report.images import as_picture, sheet, thumbnail


def test_candidates_stand_in_the_order_of_the_list(inputs):
    cards = candidate_gallery(inputs, 3).cards
    assert [card.rank for card in cards] == list(range(4, 12))
    assert [card.id for card in cards] == inputs.candidates.part(3, 8)["id"]
    assert all(card.nearest and card.nearest_picture.startswith("data:image/png") for card in cards)


def test_references_run_from_the_most_to_the_least_certain(inputs):
    votes = [float(card.vote) for card in reference_gallery(inputs).cards]
    assert votes == sorted(votes, reverse=True)
    known = inputs.votes[inputs.known]
    assert (votes[0], votes[-1]) == (round(known.max(), 2), round(known.min(), 2))


def test_judged_order_leaves_references_and_unknown_out(inputs, made):
    order = judged_order(inputs, "whitened")
    assert len(order) == inputs.evaluation.pool
    assert not set(order) & set(inputs.labels.references)
    assert np.isfinite(inputs.votes[order]).all()


def test_failures_are_hidden_mergers_beyond_k_and_others_at_the_top(inputs):
    failures = find_failures(inputs)
    known = set(inputs.store.ids[inputs.known])
    assert all(card.id in known and card.rank > inputs.evaluation.shown_k for card in failures.missed.cards)
    assert not known & {card.id for card in failures.surprising.cards}
    ranks = [card.rank for card in failures.surprising.cards]
    assert ranks == sorted(ranks)


def test_pictures_of_one_two_and_four_channels():
    for channels in (1, 2, 3, 4):
        image = np.arange(channels * 20 * 20, dtype=np.uint8).reshape(channels, 20, 20)
        picture = as_picture(image)
        assert picture.shape == (20, 20, 3)
        np.testing.assert_array_equal(picture[..., 0], image[0])
    assert thumbnail(np.zeros((3, 400, 300), np.uint8), 100).shape == (100, 75, 3)


def test_sheet_is_transparent_between_pictures():
    tile = np.full((8, 8, 3), 200, np.uint8)
    laid = sheet([[tile, tile], [tile]], gap=2)
    assert laid.shape == (18, 18, 4)
    assert (laid[:8, 8:10, 3] == 0).all()
    assert (laid[10:, 10:, 3] == 0).all()
    assert (laid[:8, :8] == [200, 200, 200, 255]).all()

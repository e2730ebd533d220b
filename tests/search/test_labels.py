from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mergerscope.errors import ContractError
from mergerscope.search.labels import Labels
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.roles import assign_roles

FRACTION = 1 / 3


def catalog_of(known=90, judged=200, unjudged=100, seed=1, digests=None) -> Catalog:
    """Known mergers first, then judged others, then galaxies without a vote."""
    total = known + judged + unjudged
    ids = np.array([f"g{row:04d}" for row in range(total)])
    is_known = np.arange(total) < known
    vote = np.where(is_known, 0.8, 0.1)
    vote[known + judged :] = np.nan
    digest = np.array([f"d{row}" for row in range(total)] if digests is None else digests)
    role = np.array(assign_roles(ids.tolist(), is_known.tolist(), digest.tolist(), seed, FRACTION))
    nowhere = pa.nulls(total, pa.float64())
    table = pa.table({
        "id": ids, "image": ids, "ra_deg": nowhere, "dec_deg": nowhere, "pixel_digest": digest, "vote": vote,
        "known_merger": is_known, "judged": np.isfinite(vote), "role": role,
    })  # fmt: skip
    return Catalog(table, ("p_merger",), {}, "table", None)


@pytest.fixture
def catalog() -> Catalog:
    return catalog_of()


def test_labels_follow_the_ids_of_the_store(catalog):
    some = catalog.ids[[3, 5, 350]]
    labels = Labels.of(catalog, some)
    assert labels.rows.tolist() == [3, 5, 350]
    assert labels.known.tolist() == [True, True, False]


@pytest.mark.parametrize("strange", ["a", "g0003x", "z"])
def test_an_embedding_that_the_catalogue_does_not_know_is_refused(catalog, strange):
    with pytest.raises(ContractError, match=f"1 embedded galaxies are not in the catalogue, the first is {strange}"):
        Labels.of(catalog, np.array(["g0001", strange]))


def test_the_first_split_is_the_catalogues_own(catalog):
    labels = Labels.of(catalog, catalog.ids)
    split = labels.splits(catalog, 1, 1, FRACTION, "leave_out")[0]
    np.testing.assert_array_equal(split.references, catalog.rows("reference"))
    np.testing.assert_array_equal(split.listed[split.positive], catalog.rows("hidden"))
    assert split.hidden == len(catalog.rows("hidden"))
    np.testing.assert_array_equal(split.grades, catalog.vote[split.listed])


def test_further_splits_move_known_mergers_and_nothing_else(catalog):
    labels = Labels.of(catalog, catalog.ids)
    splits = labels.splits(catalog, 4, 1, FRACTION, "leave_out")
    sides = {tuple(split.references.tolist()) for split in splits}
    assert len(sides) == 4
    for split in splits:
        hidden = split.listed[split.positive]
        assert set(hidden) | set(split.references) == set(range(90))
        assert not set(hidden) & set(split.references)
        np.testing.assert_array_equal(split.listed[~split.positive], np.arange(90, 290))
        assert 15 < split.hidden < 46


def test_unknown_galaxies_are_left_out_or_count_as_negatives(catalog):
    labels = Labels.of(catalog, catalog.ids)
    left_out, negative = (
        labels.splits(catalog, 1, 1, FRACTION, unknown)[0] for unknown in ("leave_out", "negative")
    )
    assert len(negative.listed) - len(left_out.listed) == 100
    assert np.isfinite(negative.grades).all()


def test_equal_pictures_are_on_the_same_side_in_every_split():
    digests = [f"d{row // 2}" for row in range(390)]
    catalog = catalog_of(digests=digests)
    for split in Labels.of(catalog, catalog.ids).splits(catalog, 5, 1, FRACTION, "leave_out"):
        pictures = [{digests[row] for row in side} for side in (split.references, split.listed)]
        assert not pictures[0] & pictures[1]


def test_pictures_are_numbered_by_their_pixels_and_what_cannot_be_decoded_equals_nothing():
    digests = ["a", "", "b", "a", "", *(f"d{row}" for row in range(385))]
    catalog = catalog_of(digests=digests)
    numbers = Labels.of(catalog, catalog.ids).pictures
    assert numbers[0] == numbers[3]
    assert len(set(numbers.tolist())) == 389


def test_a_refused_galaxy_is_in_no_split(catalog):
    kept = np.setdiff1d(np.arange(390), [0, 100])
    labels = Labels.of(catalog, catalog.ids[kept])
    for split in labels.splits(catalog, 3, 1, FRACTION, "negative"):
        ids = set(catalog.ids[kept][np.r_[split.references, split.listed]])
        assert len(ids) == 388
        assert not ids & {"g0000", "g0100"}


def test_no_known_merger_is_in_the_validation_pool_or_the_background(catalog):
    labels = Labels.of(catalog, catalog.ids)
    np.testing.assert_array_equal(labels.validation_pool(), np.arange(90, 290))
    np.testing.assert_array_equal(labels.background(), np.arange(90, 390))


def test_twins_of_known_mergers_are_no_negatives_and_no_background():
    """Galaxies 100 (voted down) and 300 (no vote) have the pixels of mergers 0 and 1."""
    digests = [f"d{row}" for row in range(390)]
    digests[100], digests[300] = "d0", "d1"
    catalog = catalog_of(digests=digests)
    labels = Labels.of(catalog, catalog.ids)
    for rows in (labels.background(), labels.validation_pool(), labels.negatives("negative")):
        assert len(rows)
        assert not {0, 1, 100, 300} & set(rows.tolist())
    assert labels.twins(labels.all_known).tolist() == [100, 300]
    assert labels.twins(np.array([1, 2])).tolist() == [300]
    splits = labels.splits(catalog, 5, 1, FRACTION, "negative")
    for split in splits:
        assert split.twins.tolist() == [twin for twin, of in ((100, 0), (300, 1)) if of in split.references]
        assert not {100, 300} & set(split.listed.tolist())
    assert len({tuple(split.twins) for split in splits}) > 1


def test_too_few_judged_galaxies_are_filled_up_with_unknown_ones():
    catalog = catalog_of(judged=10)
    np.testing.assert_array_equal(Labels.of(catalog, catalog.ids).validation_pool(), np.arange(90, 200))

"""What the monitors of each epoch look at, and what they must never look at."""

import numpy as np
import pytest
import torch

from mergerscope.errors import ContractError
from mergerscope.learn.monitoring import MonitorSet
from mergerscope.search import negatives
from mergerscope.search.labels import Labels
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_images
from mergerscope.survey.catalog import read_catalog

CPU = torch.device("cpu")


@pytest.fixture
def catalog(small):
    return read_catalog(small.catalog)


@pytest.fixture
def manifest(small):
    return Manifest.load(small.manifest)


@pytest.fixture
def make_set(small, settings, catalog, manifest):
    def make(shards=small.shards, catalog=catalog, **train):
        return MonitorSet(settings(train=train), shards, manifest, catalog)

    return make


def ids_of(catalog, role):
    return set(catalog.ids[catalog.rows(role)].tolist())


def figures(monitors, encoder):
    """All that the monitors tell of an encoder, and the reduction that is fitted on their images."""
    told = [monitors.epoch(encoder, CPU)]
    monitors.fit_reduction(encoder, CPU)
    told.append(monitors.judge(encoder, CPU))
    return told, {name: value.clone() for name, value in encoder.state_dict().items()}


def test_references_and_pool_galaxies_and_no_hidden_merger(make_set, catalog, small, manifest):
    monitors = make_set()
    hidden, references = ids_of(catalog, "hidden"), ids_of(catalog, "reference")
    assert len(hidden) >= 5
    assert not hidden & set(monitors.ids.tolist())
    assert set(monitors.ids[monitors.references].tolist()) == references
    assert set(monitors.ids[monitors.pool].tolist()) <= ids_of(catalog, "pool")
    np.testing.assert_array_equal(monitors.images, read_images(small.shards, manifest, monitors.ids.tolist()))


def test_votes_say_which_pool_galaxies_count(make_set, catalog, monkeypatch):
    """Galaxies without a vote may be mergers: they are embedded, and not taken for negatives."""
    monkeypatch.setattr(negatives, "FEW_JUDGED", 20)
    monitors = make_set()
    judged = dict(zip(catalog.ids.tolist(), catalog.judged.tolist(), strict=True))
    pool = monitors.ids[monitors.pool].tolist()
    assert all(judged[name] for name in pool)
    assert not all(judged[name] for name in monitors.ids.tolist())
    assert len(pool) == sum(judged[name] for name in ids_of(catalog, "pool") if name in judged)


@pytest.mark.parametrize("few", [27, 28])
def test_the_pool_is_the_one_that_the_search_validates_on(make_set, catalog, manifest, monkeypatch, few):
    """27 of the pool are judged: enough by one setting of the shared rule, too few by the other."""
    monkeypatch.setattr(negatives, "FEW_JUDGED", few)
    monitors = make_set()
    packed = np.setdiff1d(catalog.ids, [refusal.id for refusal in manifest.refused])
    wanted = packed[Labels.of(catalog, packed).validation_pool()]
    assert monitors.ids[monitors.pool].tolist() == wanted.tolist()
    assert (len(wanted) == 27) == (few == 27)


def test_without_votes_the_pool_is_all_there_is(make_set, catalog):
    nothing_known = catalog.with_columns(judged=catalog.role == "reference")
    monitors = make_set(catalog=nothing_known)
    assert len(monitors.pool) == len(monitors.ids) - len(monitors.references)


def test_folds_are_cut_by_pixels(make_set, make_encoder, catalog):
    """Where all references are one picture, nothing can be held out."""
    references = catalog.role == "reference"
    digests = np.where(references, catalog.pixel_digest[references][0], catalog.pixel_digest)
    found = make_set(catalog=catalog.with_columns(pixel_digest=digests)).epoch(make_encoder(), CPU)
    assert np.isnan(found["validation_average_precision"])
    assert np.isfinite(make_set().epoch(make_encoder(), CPU)["validation_average_precision"])


def test_judged_galaxies_come_first_when_there_is_room_for_few(make_set, catalog):
    references = len(ids_of(catalog, "reference"))
    monitors = make_set(monitor_images=2 * references + 5)
    assert len(monitors.ids) == 2 * references + 5
    assert len(monitors.references) == references
    assert len(make_set(monitor_images=2).pool) == 2


def test_references_are_at_most_half_of_the_set(make_set, catalog):
    assert len(ids_of(catalog, "reference")) > 3
    monitors = make_set(monitor_images=6)
    assert (len(monitors.references), len(monitors.pool)) == (3, 3)


def test_the_draw_depends_on_the_seed_alone(make_set):
    first, again, other = (make_set(monitor_images=20, seed=seed) for seed in (1, 1, 2))
    assert first.ids.tolist() == again.ids.tolist() != other.ids.tolist()


@pytest.mark.parametrize(("asked", "pool", "k"), [(100, 40, 20), (100, 27, 13), (5, 27, 5), (100, 1, 1)])
def test_k_is_at_most_half_the_pool(make_set, asked, pool, k):
    monitors = make_set(monitor_k=asked)
    assert len(monitors.pool) == 40
    monitors.pool = monitors.pool[:pool]
    assert monitors.k == k


def test_the_figures_of_an_epoch(make_set, make_encoder):
    found = make_set().epoch(make_encoder().train(), CPU)
    assert list(found) == ["alignment", "uniformity", "feature_std", "effective_rank", "validation_recall",
                           "validation_average_precision"]  # fmt: skip
    assert all(np.isfinite(value) for value in found.values())
    assert 0 <= found["alignment"] <= 4
    assert found["uniformity"] < 0
    assert 0 < found["feature_std"] < 1
    assert 1 < found["effective_rank"] < 41
    assert 0 <= found["validation_average_precision"] <= 1


def test_a_collapsed_encoder_is_told_as_such(make_set, make_encoder):
    encoder = make_encoder()
    with torch.no_grad():
        encoder.trunk.conv1.weight.zero_()
    found = make_set().epoch(encoder, CPU)
    assert found["alignment"] == pytest.approx(0, abs=1e-6)
    assert found["uniformity"] == pytest.approx(0, abs=1e-6)
    assert found["feature_std"] == pytest.approx(0, abs=1e-6)
    assert found["effective_rank"] == pytest.approx(1)


def test_what_the_hidden_mergers_look_like_changes_nothing(make_set, make_encoder, catalog, poison):
    expected = figures(make_set(), make_encoder())
    found = figures(make_set(shards=poison(sorted(ids_of(catalog, "hidden")))), make_encoder())
    assert found[0] == expected[0]
    assert all(torch.equal(value, expected[1][name]) for name, value in found[1].items())


def test_what_was_judged_on_is_known_again(make_set, catalog, settings, small, manifest):
    """One examination: equal digests. Other pixels: another survey; other roles, folds or draws: another split."""
    first = make_set().judged_on
    assert first == make_set(epochs=9, learning_rate=0.1).judged_on
    assert {len(value) for value in first.values()} == {12}
    pixels = np.where(catalog.ids == catalog.ids[0], "other", catalog.pixel_digest)
    assert make_set(catalog=catalog.with_columns(pixel_digest=pixels)).judged_on["survey"] != first["survey"]
    role = catalog.role.copy()
    role[catalog.rows("reference")[0]] = "hidden"
    more_folds = MonitorSet(settings(rank={"folds": 3}), small.shards, manifest, catalog)
    for other in (make_set(catalog=catalog.with_columns(role=role)), make_set(seed=7), more_folds):
        assert other.judged_on["survey"] == first["survey"]
        assert other.judged_on["split"] != first["split"]


@pytest.mark.parametrize("role", ["reference", "pool"])
def test_the_others_are_looked_at(make_set, make_encoder, catalog, poison, role):
    """The proof above proves something: poisoning others does change the figures."""
    expected, _ = figures(make_set(), make_encoder())
    found, _ = figures(make_set(shards=poison(sorted(ids_of(catalog, role) & set(make_set().ids)))), make_encoder())
    assert found != expected


@pytest.mark.parametrize("missing", ["reference", "pool"])
def test_nothing_to_monitor_by(make_set, catalog, missing):
    role = np.where(catalog.role == missing, "hidden", catalog.role)
    with pytest.raises(ContractError, match="references among pool galaxies; got"):
        make_set(catalog=catalog.with_columns(role=role))


def test_one_reference_gives_no_score(make_set, make_encoder, catalog):
    role = np.where(catalog.role == "reference", "hidden", catalog.role)
    role[catalog.rows("reference")[0]] = "reference"
    found = make_set(catalog=catalog.with_columns(role=role)).epoch(make_encoder(), CPU)
    assert np.isnan(found["validation_recall"])
    assert np.isnan(found["validation_average_precision"])
    assert np.isfinite(found["uniformity"])

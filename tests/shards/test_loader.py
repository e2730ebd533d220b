from __future__ import annotations

import multiprocessing
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.params import ShardParams
from mergerscope.shards import loader as loader_module
from mergerscope.shards.loader import EpochLoader, steps_per_epoch, training_loader
from mergerscope.shards.reader import read_images
from mergerscope.shards.writer import write_shards


def make(packed: Any, **settings: Any) -> EpochLoader:
    given = {"batch_size": 6, "seed": 1, "epoch": 0, "workers": 0, "keep": None} | settings
    return training_loader(packed.folder, packed.manifest, **given)


def order(loader: EpochLoader) -> list[str]:
    return [key for ids, _ in loader for key in ids]


@pytest.mark.parametrize("workers", [0, 1, 2])
class TestProcesses:
    def test_no_galaxy_is_lost_or_doubled(self, packed: Any, workers: int) -> None:
        met = order(make(packed, workers=workers, drop_last=False))
        assert Counter(met) == Counter(packed.ids)

    def test_whole_batches_leave_out_less_than_one(self, packed: Any, workers: int) -> None:
        batches = list(make(packed, workers=workers))
        assert [len(ids) for ids, _ in batches] == [6] * 8
        met = [key for ids, _ in batches for key in ids]
        assert len(set(met)) == 48

    def test_images_belong_to_their_ids(self, packed: Any, workers: int) -> None:
        for ids, images in make(packed, workers=workers, drop_last=False):
            assert images.dtype == torch.uint8
            assert images.is_contiguous()
            np.testing.assert_array_equal(images, read_images(packed.folder, packed.manifest, ids))

    def test_the_order_repeats_and_differs(self, packed: Any, workers: int) -> None:
        first = order(make(packed, workers=workers, epoch=3))
        assert order(make(packed, workers=workers, epoch=3)) == first
        assert order(make(packed, workers=workers, epoch=4)) != first
        assert order(make(packed, workers=workers, epoch=3, seed=2)) != first

    def test_only_some(self, packed: Any, workers: int) -> None:
        keep = frozenset([*packed.ids[::7], *packed.ids[3:5]])
        loader = make(packed, workers=workers, keep=keep, batch_size=4, drop_last=False)
        assert Counter(order(loader)) == Counter(keep)
        assert len(loader) == 3


class TestParts:
    """Of several devices."""

    @pytest.mark.parametrize(("parts", "workers"), [(2, 0), (2, 2), (3, 0), (7, 1)])
    def test_no_galaxy_is_lost_or_doubled(self, packed: Any, parts: int, workers: int) -> None:
        """Fifty galaxies in seven shards, the last one short: cuts fall inside of shards."""
        loaders = [
            make(packed, part=part, parts=parts, workers=workers, batch_size=3, drop_last=False)
            for part in range(parts)
        ]
        assert Counter(key for loader in loaders for key in order(loader)) == Counter(packed.ids)

    @pytest.mark.parametrize("parts", [2, 3, 7])
    @pytest.mark.parametrize("batch_size", [1, 2, 5])
    def test_all_make_equally_many_steps(self, packed: Any, parts: int, batch_size: int) -> None:
        steps = 50 // (parts * batch_size)
        met: Counter[str] = Counter()
        for part in range(parts):
            batches = list(make(packed, part=part, parts=parts, batch_size=batch_size))
            assert [len(ids) for ids, _ in batches] == [batch_size] * steps
            met.update(key for ids, _ in batches for key in ids)
        assert len(met) == sum(met.values()) == steps * parts * batch_size

    def test_images_belong_to_their_ids(self, packed: Any) -> None:
        for part in range(3):
            for ids, images in make(packed, part=part, parts=3, batch_size=4):
                np.testing.assert_array_equal(images, read_images(packed.folder, packed.manifest, ids))

    def test_only_some(self, packed: Any) -> None:
        keep = frozenset([*packed.ids[::7], *packed.ids[3:5]])
        halves = [make(packed, keep=keep, part=part, parts=2, batch_size=2, drop_last=False) for part in range(2)]
        met = [key for half in halves for key in order(half)]
        assert Counter(met) == Counter(keep)

    def test_others_are_in_a_part_in_another_epoch(self, packed: Any) -> None:
        one, other = (set(order(make(packed, part=0, parts=2, epoch=epoch))) for epoch in range(2))
        assert one != other

    def test_one_shard_for_two(self, packed: Any) -> None:
        keep = frozenset(packed.ids[:8])
        halves = [order(make(packed, keep=keep, part=part, parts=2, batch_size=4)) for part in range(2)]
        assert sorted(halves[0] + halves[1]) == packed.ids[:8]

    def test_too_few_galaxies_for_a_batch_of_each(self, packed: Any) -> None:
        with pytest.raises(ContractError, match=r"has 50 galaxies.*takes 52"):
            make(packed, batch_size=26, parts=2)


def test_it_can_be_iterated_again(packed: Any) -> None:
    loader = make(packed)
    assert order(loader) == order(loader)


def test_seed_and_epoch_do_not_add_up(packed: Any) -> None:
    assert order(make(packed, seed=1, epoch=2)) != order(make(packed, seed=2, epoch=1))


@pytest.mark.parametrize(("drop_last", "steps"), [(True, 8), (False, 9)])
def test_its_length_is_the_number_of_batches(packed: Any, drop_last: bool, steps: int) -> None:
    for workers in (0, 2):
        loader = make(packed, drop_last=drop_last, workers=workers)
        assert len(loader) == len(list(loader)) == steps


def test_steps_per_epoch(packed: Any) -> None:
    assert steps_per_epoch(packed.manifest, 6) == steps_per_epoch(50, 6) == 8
    assert steps_per_epoch(5, 6) == 0


def test_a_batch_can_be_the_whole_survey(packed: Any) -> None:
    for workers in (0, 2):
        ((ids, images),) = make(packed, batch_size=50, workers=workers)
        assert sorted(ids) == packed.ids
        assert images.shape == (50, 3, 32, 32)


def test_too_few_galaxies_for_a_batch(packed: Any) -> None:
    with pytest.raises(ContractError, match=r"has 50 galaxies.*takes 51.*train\.batch_size"):
        make(packed, batch_size=51)
    with pytest.raises(ContractError, match="has 3 galaxies"):
        make(packed, keep=frozenset(packed.ids[:3]))
    with pytest.raises(ContractError, match="has 0 galaxies"):
        make(packed, keep=frozenset(), drop_last=False)


def test_ids_that_were_refused_are_not_waited_for(packed: Any) -> None:
    loader = make(packed, keep=frozenset([*packed.ids[:12], "refused"]))
    assert sorted(order(loader)) == packed.ids[:12]


def test_a_missing_shard(packed: Any) -> None:
    (packed.folder / "shard-000003.tar").unlink()
    with pytest.raises(MissingInputError, match=r"shard-000003\.tar"):
        make(packed)


def test_a_shard_with_too_few_galaxies(packed: Any) -> None:
    (packed.folder / "shard-000001.tar").write_bytes((packed.folder / "shard-000006.tar").read_bytes())
    with pytest.raises(ContractError, match=r"met 44 galaxies.*says 50"):
        list(make(packed))


def test_a_shard_of_other_images(packed: Any, tmp_path: Path) -> None:
    params = ShardParams(size=16, per_shard=8, workers=1)
    survey = packed.survey
    write_shards(survey.catalog, survey.root, tmp_path / "other", params, [], scratch=tmp_path / "scratch")
    (packed.folder / "shard-000001.tar").write_bytes((tmp_path / "other" / "shard-000001.tar").read_bytes())
    with pytest.raises(ContractError, match=r"shard-000001.tar: g00\d\d is no uint8 array"):
        list(make(packed))


def test_batches_mix_the_shards(packed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though only a small part of the survey fits the buffer, a batch comes from far more than one shard."""
    monkeypatch.setattr(loader_module, "BUFFER_GALAXIES", 8)
    shards = [{packed.ids.index(key) // 8 for key in ids} for ids, _ in make(packed, batch_size=8)]
    assert np.mean([len(numbers) for numbers in shards]) > 3


def test_orders_are_as_good_as_any(packed: Any) -> None:
    """Each galaxy is met about as often in the first half of an epoch as in the second."""
    epochs = 60
    first_half = Counter(
        key for epoch in range(epochs) for key in order(make(packed, epoch=epoch, drop_last=False))[:25]
    )
    share = np.array([first_half[key] for key in packed.ids]) / epochs
    assert abs(share.mean() - 0.5) < 1e-9
    assert share.std() < 0.13  # 0.065 for independent draws


def test_its_processes_are_no_forks_of_this_one(packed: Any) -> None:
    """A fork waits for ever for a lock that a thread of this process held: here, the one of Python's thread states."""
    met = 0
    for _ in make(packed, workers=2):
        readers = multiprocessing.active_children()
        met += len(readers)
        assert not any(isinstance(reader, multiprocessing.context.ForkProcess) for reader in readers)
    assert met > 0

"""Training in two CPU processes: together they see what one would, and no process is left behind."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from mergerscope.errors import ContractError, MergerscopeError, ParameterError
from mergerscope.learn import fit as fit_module
from mergerscope.learn.across import collect, deal, gather, mean, processes, rank
from mergerscope.learn.contrast import info_nce
from mergerscope.learn.fit import fit
from mergerscope.learn.module import EncoderModule
from mergerscope.learn.place import Place, batch_of, place_of
from mergerscope.learn.shared_norm import SharedBatchNorm, own_norms, share_norms
from mergerscope.learn.team import Team
from mergerscope.learn.terms import MocoTerm, SimclrTerm
from mergerscope.params import TrainParams
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import shard_ids
from mergerscope.survey.catalog import read_catalog

TWO = Place(processes=2, local_processes=2)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def two():
    """The module with what the second process does, where that process will find it by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        yield importlib.import_module("several_devices")
    del sys.modules["several_devices"]


@pytest.fixture
def failing(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    yield importlib.import_module("failing_helpers")
    del sys.modules["failing_helpers"]


@pytest.fixture(scope="module")
def trained(two, small, settings, tmp_path_factory):
    """A training of two processes, and what each of them saw."""
    folder, mine, told = tmp_path_factory.mktemp("two"), {}, []
    everything = {"pairs": {"weight": 1.0}, "simclr": {"weight": 0.3}, "moco": {"weight": 0.5, "queue": 24}}
    params = settings(objective=everything, train={"devices": 2, "patience": 5, "workers": 1})
    with pytest.MonkeyPatch.context() as patch:
        for name in ("training_step", "on_train_epoch_start", "on_train_end"):
            patch.setattr(EncoderModule, name, getattr(EncoderModule, name))  # put back at the end
        two.watch(mine)
        join = Team.join

        def joined(self):
            join(self)
            mine["found"] = two.check()

        patch.setattr(Team, "join", joined)
        patch.setattr(fit_module, "_assist", partial(two.assist, folder / "notes.pt"))
        result = fit(params, small.shards, read_catalog(small.catalog), scratch=folder / "scratch",
                     on_epoch=lambda epoch, row: told.append(epoch))  # fmt: skip
    theirs = torch.load(folder / "notes.pt", weights_only=True)
    return result, [mine, theirs], told, folder


class TestTraining:
    def test_each_galaxy_is_met_once_an_epoch(self, trained, small):
        """Sixty galaxies in batches of sixteen, eight on each: 48 are met, other twelve left out each time."""
        _, notes, _, _ = trained
        everyone = {name for ids in shard_ids(small.shards, Manifest.load(small.manifest)) for name in ids}
        epochs = []
        for one, other in zip(*(note["ids"] for note in notes), strict=True):
            assert [len(ids) for ids in one] == [len(ids) for ids in other] == [8] * 3
            met = Counter(name for ids in (*one, *other) for name in ids)
            assert len(met) == 48
            assert set(met.values()) == {1}
            assert set(met) < everyone
            epochs.append(set(met))
        assert epochs[0] != epochs[1]

    def test_all_weights_and_the_queue_are_equal_in_both(self, trained):
        _, (mine, theirs), _, _ = trained
        assert mine["state"].keys() == theirs["state"].keys()
        # Of the key encoder's normalisation nothing but the batch is used.
        differ = {name for name, value in mine["state"].items() if not torch.equal(value, theirs["state"][name])}
        assert all("key_encoder" in name and "running" in name for name in differ)
        assert "registered_terms.moco.queue" in mine["state"]

    def test_views_are_drawn_by_each(self, trained):
        _, (mine, theirs), _, _ = trained
        assert mine["views"] == [1_000_003, 1_000_004]
        assert theirs["views"] == [seed + 2**52 for seed in mine["views"]]

    def test_the_result_is_as_of_one_process(self, trained):
        result, (mine, _), told, folder = trained
        assert told == [0, 1]
        assert [row["epoch"] for row in result.history] == [0, 1]
        assert all(np.isfinite(value) for row in result.history for value in row.values())
        assert result.images == 60
        norms = {type(part) for part in result.encoder.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)}
        assert norms == {nn.BatchNorm2d}
        assert torch.equal(result.encoder.trunk.conv1.weight, mine["state"]["encoder.trunk.conv1.weight"])
        assert [path for path in (folder / "scratch").rglob("*") if path.is_file()] == []

    def test_nothing_is_left_behind(self, trained):
        assert multiprocessing.active_children() == []
        assert (processes(), rank()) == (1, 0)
        assert "OMP_NUM_THREADS" not in os.environ or os.environ["OMP_NUM_THREADS"] == BEFORE
        assert torch.get_num_threads() == 1


BEFORE = os.environ.get("OMP_NUM_THREADS")


@pytest.fixture
def found(trained):
    return [note["found"] for note in trained[1]]


class TestTogether:
    """Halves of a batch in two processes against the whole batch in one."""

    def test_tensors_go_round(self, found):
        everything = torch.arange(8.0)[:, None] * torch.tensor([1.0, 10.0])
        for number, one in enumerate(found):
            assert torch.equal(one["gathered"], everything)
            assert torch.equal(one["dealt"], everything[number::2])
            assert torch.equal(one["collected"], everything)
            assert one["mean"].item() == 0.5

    def test_simclr_has_the_loss_and_gradient_of_the_whole_batch(self, two, found):
        encoder, term = two.make(SimclrTerm)
        loss = two.simclr(encoder, term, two.view(1), two.view(2))
        loss.backward()
        expected = two.gradients(encoder, term)
        for one in found:
            torch.testing.assert_close(one["simclr"][0], loss.detach())
            for mine, theirs in zip(one["simclr"][1], expected, strict=True):
                assert (mine - theirs).norm() <= 0.01 * theirs.norm()  # of sums of float32 in another order
        assert max(part.abs().max() for part in expected) > 0.1

    def test_batch_normalisation_has_the_statistics_of_the_whole_batch(self, two, found):
        encoder, term = two.make(SimclrTerm)
        two.simclr(encoder, term, two.view(1), two.view(2))
        for name, value in encoder.named_buffers():
            for one in found:
                torch.testing.assert_close(one["statistics"][name], value, rtol=1e-4, atol=1e-6)

    def test_the_queue_holds_the_keys_of_both_in_the_order_of_processes(self, two, found):
        """Keys are made of every other galaxy of the whole batch, each half normalised for itself."""
        encoder, term = two.make(MocoTerm, 12)
        queue, losses = term.queue.clone(), [[], []]
        for at, number in ((0, 2), (8, 3)):
            keys = torch.empty(8, 8)
            with torch.no_grad():
                for part in range(2):
                    maps = term.key_encoder.stages(two.view(number)[part::2])
                    keys[part::2] = F.normalize(term.key_projector(term.key_encoder.trained_embedding(maps)), dim=1)
                for part in range(2):
                    own = slice(4 * part, 4 * part + 4)
                    query = term.projector(encoder.trained_embedding(encoder.stages(two.view(1)[own])))
                    losses[part].append(info_nce(query, keys[own], queue, 0.2))
            queue[(at + torch.arange(8)) % 12] = keys
        for one, expected in zip(found, losses, strict=True):
            torch.testing.assert_close(one["queue"], queue)
            assert one["cursor"].item() == 4
            torch.testing.assert_close(one["moco"], expected)
        assert torch.equal(found[0]["queue"], found[1]["queue"])


class TestEnds:
    def train(self, job):
        with Team(TWO, CPU, job) as team:
            team.join()
            for _ in range(2):
                dist.all_reduce(torch.zeros(1))

    def test_a_killed_process_ends_the_training(self, failing):
        with pytest.raises(MergerscopeError, match=r"device 1 has ended with exit code -9.*goes on from the last"):
            self.train(failing.stop)
        assert (multiprocessing.active_children(), processes()) == ([], 1)

    def test_what_another_process_cannot_do_is_told(self, failing):
        with pytest.raises(ContractError, match=r"shard-000007\.tar is missing"):
            self.train(failing.refuse)
        assert (multiprocessing.active_children(), processes()) == ([], 1)

    def test_a_bug_in_another_process_is_shown(self, failing):
        with pytest.raises(RuntimeError, match="of seven by nothing"):
            self.train(failing.break_down)
        assert (multiprocessing.active_children(), processes()) == ([], 1)


def test_alone_nothing_changes_hands():
    numbers = torch.rand(3, 2)
    assert gather(numbers) is deal(numbers) is mean(numbers) is numbers
    assert torch.equal(collect(numbers), numbers)


def test_sharing_of_norms_keeps_weights_and_names(make_encoder):
    encoder = make_encoder()
    before = dict(encoder.named_parameters()) | dict(encoder.named_buffers())
    share_norms(encoder, CPU)
    assert type(encoder.trunk.bn1) is SharedBatchNorm
    own_norms(encoder)
    after = dict(encoder.named_parameters()) | dict(encoder.named_buffers())
    assert list(after) == list(before)
    assert all(after[name] is value for name, value in before.items())


def test_a_shared_norm_alone_is_a_norm():
    x = torch.randn(6, 4, 5, 5, generator=torch.Generator().manual_seed(0)) * 3 + 7
    plain, shared = nn.BatchNorm2d(4), SharedBatchNorm(4)
    torch.testing.assert_close(shared(x), plain(x))
    torch.testing.assert_close(shared.running_var, plain.running_var)
    torch.testing.assert_close(shared.eval()(x), plain.eval()(x))


class TestPlaces:
    def test_one_device_is_the_default(self):
        assert place_of(TrainParams(), CPU) == Place()
        assert Place().helpers() == []

    def test_the_first_starts_the_others(self):
        place = place_of(TrainParams(devices=3), CPU)
        assert (place.rank, place.processes, place.machines) == (0, 3, 1)
        assert [(one.rank, one.local_rank, one.processes) for one in place.helpers()] == [(1, 1, 3), (2, 2, 3)]

    def test_a_launcher_has_started_all(self, monkeypatch):
        launch(monkeypatch, RANK=5, WORLD_SIZE=6, LOCAL_RANK=1, LOCAL_WORLD_SIZE=2)
        place = place_of(TrainParams(devices=2), CPU)
        assert (place.rank, place.local_rank, place.processes, place.machines) == (5, 1, 6, 3)
        assert place.helpers() == []

    def test_a_launcher_that_starts_another_number(self, monkeypatch):
        launch(monkeypatch, RANK=0, WORLD_SIZE=4, LOCAL_RANK=0, LOCAL_WORLD_SIZE=4)
        with pytest.raises(ParameterError, match=r"`train\.devices` is 1.*has started 4.*--nproc-per-node 1"):
            place_of(TrainParams(), CPU)

    def test_more_devices_than_there_are(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        with pytest.raises(ParameterError, match=r"`train\.devices` is 3, and torch finds 2"):
            place_of(TrainParams(devices=3), torch.device("cuda"))


def launch(monkeypatch, **names):
    for name, value in {"TORCHELASTIC_RUN_ID": "made up", **names}.items():
        monkeypatch.setenv(name, str(value))


class TestBatches:
    @pytest.mark.parametrize(
        ("batch_size", "images", "devices", "expected"),
        [(128, 1000, 1, 128), (128, 99, 1, 99), (128, 1000, 4, 32), (128, 99, 2, 49), (8, 1000, 4, 2)],
    )
    def test_a_batch_is_of_all_devices(self, batch_size, images, devices, expected):
        assert batch_of(TrainParams(batch_size=batch_size), images, devices) == expected

    def test_one_that_cannot_be_shared(self):
        with pytest.raises(ParameterError, match=r"`train\.batch_size` is 128.*3 devices.*multiple of 3"):
            batch_of(TrainParams(batch_size=128), 1000, 3)

    @pytest.mark.parametrize(("batch_size", "images"), [(4, 1000), (128, 7)])
    def test_one_that_is_too_small(self, batch_size, images):
        with pytest.raises(ParameterError, match="1 galaxies a step each"):
            batch_of(TrainParams(batch_size=batch_size), images, 4)

"""Whole trainings on a small survey: what goes in, what comes out, and what survives a kill."""

import logging
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from mergerscope.errors import ContractError, ParameterError
from mergerscope.learn import fit as fit_module
from mergerscope.learn.fit import fit
from mergerscope.learn.module import EncoderModule
from mergerscope.learn.monitoring import MonitorSet
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import shard_ids
from mergerscope.survey.catalog import read_catalog

MONITORS = ["alignment", "uniformity", "feature_std", "effective_rank", "validation_recall",
            "validation_average_precision", "learning_rate"]  # fmt: skip


@pytest.fixture
def catalog(small):
    return read_catalog(small.catalog)


@pytest.fixture
def train(small, settings, catalog):
    """Train on the small survey with blocks of settings changed."""

    def train(catalog=catalog, shards=small.shards, scratch=None, on_epoch=None, monitored=True, **blocks):
        return fit(settings(**blocks), shards, catalog, scratch=scratch, on_epoch=on_epoch, monitored=monitored)

    return train


@pytest.fixture
def batches(monkeypatch):
    """The ids of every batch that is trained on."""
    seen = []
    step = EncoderModule.training_step

    def watched(self, batch, index):
        seen.append(list(batch[0]))
        return step(self, batch, index)

    monkeypatch.setattr(EncoderModule, "training_step", watched)
    return seen


def weights(result):
    return {name: value.clone() for name, value in result.encoder.state_dict().items()}


def same(one, other):
    mine, theirs = weights(one), weights(other)
    return mine.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in mine.items())


def only(**terms):
    return {term: {"weight": terms.get(term, 0.0)} for term in ("pairs", "simclr", "moco")}


@pytest.fixture(scope="module")
def rows():
    """What the listener of `result` was told."""
    return []


@pytest.fixture(scope="module")
def result(small, settings, rows):
    return fit(settings(), small.shards, read_catalog(small.catalog),
               on_epoch=lambda epoch, row: rows.append((epoch, row)))  # fmt: skip


class TestResult:
    def test_a_row_an_epoch_told_as_it_ends(self, result, rows):
        columns = ["epoch", "pairs", "pairs_accuracy", "simclr", "loss", *MONITORS]
        assert [list(row) for row in result.history] == [columns] * 2
        assert [row["epoch"] for row in result.history] == [0, 1]
        assert rows == list(enumerate(result.history))
        assert all(np.isfinite(value) for row in result.history for value in row.values())

    def test_the_encoder_is_ready_to_be_used(self, result, settings, small):
        encoder = result.encoder
        assert not encoder.training
        assert {value.device.type for value in encoder.state_dict().values()} == {"cpu"}
        assert encoder.config == fit_module.encoder_config(settings(), Manifest.load(small.manifest))
        assert (encoder.config.image_size, encoder.config.channels, encoder.config.pairs_head) == (32, 3, True)
        assert (encoder.feature_scale != 1).any()  # the reduction is fitted

    def test_pixels_are_standardised_by_the_first_shard(self, result, small):
        shard = fit_module.read_shard(small.shards, "shard-000000.tar").images / 255
        np.testing.assert_allclose(result.encoder.pixel_mean, shard.mean((0, 2, 3)), rtol=1e-5)
        np.testing.assert_allclose(result.encoder.pixel_std, shard.std((0, 2, 3)), rtol=1e-5)

    def test_validation_is_of_the_trained_and_the_untrained(self, result, small, settings):
        found = result.validation
        assert list(found) == ["trained", "untrained", "k", "folds", "references", "pool", "survey", "split"]
        assert found["trained"].keys() == found["untrained"].keys() == {"recall", "average_precision"}
        monitors = MonitorSet(settings(), small.shards, Manifest.load(small.manifest), read_catalog(small.catalog))
        assert monitors.judge(result.encoder, torch.device("cpu")) == found["trained"]
        assert found["trained"] != found["untrained"]
        assert (found["k"], found["folds"]) == (monitors.k, 6)

    def test_samples_are_pictures_as_the_network_saw_them(self, result, small, settings):
        assert {name: value.shape for name, value in result.samples.items()} == {
            "views": (8, 6, 3, 32, 32), "pairs_positive": (8, 3, 32, 32), "pairs_negative": (8, 3, 32, 32),
        }  # fmt: skip
        assert all(value.dtype == np.uint8 for value in result.samples.values())
        monitors = MonitorSet(settings(), small.shards, Manifest.load(small.manifest), read_catalog(small.catalog))
        originals = {image.tobytes() for image in result.samples["views"][:, 0]}
        assert len(originals) == 8
        assert originals <= {image.tobytes() for image in monitors.images}


class TestRepeating:
    def test_the_seed_is_all_that_matters(self, train, small, settings):
        torch.manual_seed(11)
        first = train()
        torch.rand(5)
        again, other = train(), train(train={"seed": 2})
        assert same(first, again)
        assert first.history == again.history
        assert first.validation == again.validation
        assert not same(first, other)
        assert all(np.array_equal(value, again.samples[name]) for name, value in first.samples.items())

    def test_monitors_only_look(self, train):
        blocks = {"train": {"epochs": 2}}
        watched, alone = train(**blocks), train(**blocks, monitored=False)
        assert same(watched, alone)
        assert [row["loss"] for row in alone.history] == [row["loss"] for row in watched.history]
        assert set(watched.history[0]) - set(alone.history[0]) == set(MONITORS) - {"learning_rate"}

    def test_a_loader_process_trains_as_well(self, train):
        with_process = train(train={"workers": 1})
        assert same(with_process, train(train={"workers": 1}))


class TestObjectives:
    @pytest.mark.parametrize(
        "terms",
        [{"pairs": 1.0}, {"simclr": 1.0}, {"moco": 1.0}, {"pairs": 1.0, "simclr": 0.3},
         {"pairs": 0.5, "simclr": 0.2, "moco": 1.0}],
        ids=lambda terms: "+".join(terms),
    )  # fmt: skip
    def test_each_trains_and_its_loss_goes_down(self, train, terms):
        # Monitors would take as long as the training, and change nothing.
        result = train(objective=only(**terms), views={"strength": 0.2}, monitored=False, train={
            "epochs": 24, "learning_rate": 0.005, "warmup_epochs": 0.0,
        })  # fmt: skip
        losses = [row["loss"] for row in result.history]
        # from the second epoch on: in the first the queue holds nothing but random keys, the easiest there are
        assert np.mean(losses[-6:]) < 0.95 * np.mean(losses[1:4])
        assert result.encoder.has_pairs_head is ("pairs" in terms)
        assert ("pairs_positive" in result.samples) is ("pairs" in terms)
        assert [name for name in ("pairs", "simclr", "moco") if name in result.history[0]] == (
            list(terms) if len(terms) > 1 else []
        )

    @pytest.mark.parametrize(("pooling", "dim", "expected"), [("last", 64, 64), ("last", 10, 10), ("stages", 999, 240)])
    def test_each_way_of_pooling(self, train, pooling, dim, expected):
        result = train(embed={"pooling": pooling}, encoder={"embedding_dim": dim}, train={"epochs": 1})
        assert result.encoder(torch.zeros(2, 3, 32, 32)).shape == (2, expected)


class TestImages:
    def test_all_galaxies_but_the_refused(self, train, batches, small):
        train()
        packed = {name for ids in shard_ids(small.shards, Manifest.load(small.manifest)) for name in ids}
        seen = [name for ids in batches for name in ids]
        assert [len(ids) for ids in batches] == [16] * 6
        # three whole batches an epoch, of others each time
        assert len(set(seen[:48])) == len(set(seen[48:])) == 48
        assert seen[:48] != seen[48:]
        assert set(seen) <= packed
        assert len(packed) == 60

    def test_references_alone(self, train, batches, catalog):
        train(train={"images": "references", "batch_size": 4})
        references = set(catalog.ids[catalog.rows("reference")].tolist())
        assert {name for ids in batches for name in ids} <= references
        assert len(batches) == 2 * (len(references) // 4)

    def test_the_hidden_mergers_change_nothing_when_references_are_trained_on(
        self, train, catalog, poison, monkeypatch
    ):
        """From the weights to the validation: their pictures could be anything."""
        hidden = catalog.ids[catalog.rows("hidden")].tolist()
        # The mean and spread of pixels are those of all galaxies in the first shard: take the first few only.
        first_hidden = catalog.ids.tolist().index(hidden[0])
        assert first_hidden > 1
        monkeypatch.setattr(fit_module, "STATISTICS_IMAGES", first_hidden - 1)
        blocks = {"train": {"images": "references", "batch_size": 8}}
        expected, found = train(**blocks), train(shards=poison(hidden), **blocks)
        assert same(found, expected)
        assert found.history == expected.history
        assert found.validation == expected.validation
        assert all(np.array_equal(value, expected.samples[name]) for name, value in found.samples.items())

    @pytest.mark.parametrize("batch_size", [60, 61, 4096])
    def test_a_batch_larger_than_the_survey(self, train, batches, batch_size):
        train(train={"batch_size": batch_size, "epochs": 1})
        assert [len(ids) for ids in batches] == [60]

    def test_a_single_image(self, train, catalog):
        role = np.where(catalog.role == "reference", "hidden", catalog.role)
        role[catalog.rows("reference")[0]] = "reference"
        with pytest.raises(ContractError, match=r"at least 2 images, got 1 \(train.images: references\)"):
            train(catalog=catalog.with_columns(role=role), train={"images": "references"})

    def test_one_reference_trains_on_all_and_never_stops_early(self, train, catalog):
        role = np.where(catalog.role == "reference", "hidden", catalog.role)
        role[catalog.rows("reference")[0]] = "reference"
        result = train(catalog=catalog.with_columns(role=role), train={"epochs": 3, "patience": 1})
        assert len(result.history) == 3
        assert np.isnan(result.validation["trained"]["average_precision"])


class TestStopping:
    @pytest.mark.parametrize(
        ("patience", "scores", "epochs"),
        [(0, [0.5, 0.4, 0.3, 0.2, 0.1], 5), (1, [0.5, 0.6, 0.6, 0.9, 0.9], 3), (2, [0.5, 0.6, 0.4, 0.5, 0.9], 4),
         (2, [0.1, 0.2, 0.3, 0.4, 0.5], 5)],
    )  # fmt: skip
    def test_after_epochs_without_a_better_score(self, train, script, patience, scores, epochs):
        script(scores)
        assert len(train(train={"epochs": 5, "patience": patience}).history) == epochs

    def test_a_diverged_training_says_so(self, train):
        with pytest.raises(ParameterError, match=r"diverged.*Lower `train.learning_rate`; it is 1e\+30"):
            train(train={"learning_rate": 1e30, "warmup_epochs": 0.0})

    def test_no_cuda(self, train, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(ParameterError, match="device: cuda"):
            train(train={"device": "cuda"})


@pytest.fixture
def script(monkeypatch):
    """Let the monitors tell these average precisions, epoch by epoch; repeats the list for each training."""
    measure = MonitorSet.epoch

    def script(scores):
        epochs = iter(scores)

        def told(self, encoder, device):
            return measure(self, encoder, device) | {"validation_average_precision": next(epochs)}

        monkeypatch.setattr(MonitorSet, "epoch", told)

    return script


class KillError(Exception):
    """Stands for the end of the process."""


LONG = {"train": {"epochs": 4}, "objective": {"moco": {"weight": 0.5}}}  # the queue must survive as well


def kill_at(epoch):
    def on_epoch(number, row):
        if number == epoch:
            raise KillError

    return on_epoch


class TestResuming:
    @pytest.mark.parametrize("epoch", [0, 2])
    def test_a_killed_training_ends_in_the_same_weights(self, train, batches, tmp_path, epoch):
        expected = train(**LONG)
        steps = len(batches)
        with pytest.raises(KillError):
            train(scratch=tmp_path / "points", on_epoch=kill_at(epoch), **LONG)
        batches.clear()
        told = []
        found = train(scratch=tmp_path / "points", on_epoch=lambda number, row: told.append((number, row)), **LONG)
        # what was told in the epoch that never reached its resume point is done again, no more
        assert len(batches) == steps * (4 - epoch) / 4
        assert same(found, expected)
        assert found.history == expected.history
        assert told == list(enumerate(expected.history))
        assert found.validation == expected.validation
        assert not list((tmp_path / "points").iterdir())

    def test_a_real_kill(self, train, small, settings, tmp_path):
        expected = train()
        program = """
            import os, signal, sys
            from pathlib import Path

            import torch

            from mergerscope.learn.fit import fit
            from mergerscope.params import Params
            from mergerscope.survey.catalog import read_catalog

            def die(epoch, row):
                if epoch == 1:
                    os.kill(os.getpid(), signal.SIGKILL)

            shards, catalog, scratch = (Path(argument) for argument in sys.argv[2:])
            torch.set_num_threads(1)
            fit(Params.model_validate_json(sys.argv[1]), shards, read_catalog(catalog), scratch=scratch, on_epoch=die)
        """
        arguments = settings().model_dump_json(by_alias=True), small.shards, small.catalog, tmp_path
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)], check=False)
        assert done.returncode == -signal.SIGKILL
        assert list(tmp_path.glob("*/last.ckpt"))
        found = train(scratch=tmp_path)
        assert same(found, expected)
        assert found.history == expected.history

    def test_killed_after_the_last_epoch(self, train, batches, tmp_path, monkeypatch):
        expected = train()
        with monkeypatch.context() as patch:
            patch.setattr(fit_module, "_validation", lambda *args: kill_at(0)(0, {}))
            with pytest.raises(KillError):
                train(scratch=tmp_path)
        batches.clear()
        told = []
        found = train(scratch=tmp_path, on_epoch=lambda number, row: told.append(number))
        assert batches == []
        assert told == [0, 1]
        assert same(found, expected)
        assert found.history == expected.history

    def test_killed_after_an_early_stop(self, train, batches, tmp_path, monkeypatch, script):
        settings = {"train": {"epochs": 5, "patience": 1}}
        script([0.5, 0.4])
        expected = train(**settings)
        assert len(expected.history) == 2
        script([0.5, 0.4])
        with monkeypatch.context() as patch:
            patch.setattr(fit_module, "_validation", lambda *args: kill_at(0)(0, {}))
            with pytest.raises(KillError):
                train(scratch=tmp_path, **settings)
        batches.clear()
        found = train(scratch=tmp_path, **settings)
        assert batches == []
        assert same(found, expected)
        assert found.history == expected.history

    @pytest.mark.parametrize("what", ["parameters", "roles"])
    def test_another_training_starts_anew(self, train, catalog, tmp_path, what):
        with pytest.raises(KillError):
            train(scratch=tmp_path, on_epoch=kill_at(1))
        role = catalog.role.copy()
        role[catalog.rows("hidden")[0]] = "reference"
        change = {"views": {"strength": 0.9}} if what == "parameters" else {"catalog": catalog.with_columns(role=role)}
        found, expected = train(scratch=tmp_path, **change), train(**change)
        assert same(found, expected)
        assert found.history == expected.history
        assert not list(tmp_path.iterdir())

    def test_an_error_of_the_listener_comes_through_as_it_is(self, train):
        with pytest.raises(KillError):
            train(on_epoch=kill_at(0))


def test_lightning_says_nothing_of_itself(train, capfd, caplog):
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    with caplog.at_level(logging.INFO):
        train(train={"precision": "bf16"})
    said = capfd.readouterr()
    text = said.out + said.err + caplog.text
    for word in ("Tip", "GPU available", "bfloat16", "max_epochs", "litlogger"):
        assert word not in text
    assert said.err.startswith("train: 6/6 steps")
    assert logger.level == level

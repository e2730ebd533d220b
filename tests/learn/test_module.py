"""The Lightning module: what one step trains, on which views, at which rate."""

import math

import pytest
import torch

from mergerscope.learn.module import CHUNK, EncoderModule, make_view
from mergerscope.learn.pairs import random_view
from mergerscope.params import ViewsParams

ALL = {"pairs": {"weight": 1.0}, "simclr": {"weight": 0.3}, "moco": {"weight": 0.5}, "projection_dim": 8}


def only(name):
    return {term: {"weight": 1.0 if term == name else 0.0} for term in ("pairs", "simclr", "moco")}


@pytest.fixture
def make_module(settings, make_encoder):
    def make(objective=ALL, images=60, steps=4, epoch=0, **blocks):
        params = settings(objective=objective, **blocks)
        torch.manual_seed(0)
        encoder = make_encoder(pairs_head=params.objective.pairs.weight > 0)
        module = EncoderModule(encoder, params, images, steps).train()
        module.on_train_epoch_start()
        return module

    return make


@pytest.fixture
def batch():
    pixels = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(4))
    return [f"g{number}" for number in range(8)], pixels


@pytest.mark.parametrize(
    ("objective", "views"),
    [(only("pairs"), ["pair", "single"]), (only("simclr"), ["single", "view"]), (only("moco"), ["single", "view"]),
     (ALL, ["pair", "single", "view"])],
)  # fmt: skip
def test_views_are_made_once_for_all_terms(make_module, batch, objective, views):
    module = make_module(objective)
    assert module.view_names == views
    passes = []
    module.encoder.trunk.register_forward_pre_hook(lambda trunk, given: passes.append(len(given[0])))
    module.training_step(batch, 0)
    assert passes == [8 * len(views)]


def test_the_loss_is_the_weighted_sum_of_the_terms(make_module, batch):
    module = make_module()
    loss = module.training_step(batch, 0)
    seen = {name: value.item() for name, value in module._sums.items()}
    assert loss.item() == pytest.approx(seen["pairs"] + 0.3 * seen["simclr"] + 0.5 * seen["moco"], rel=1e-5)
    assert seen["loss"] == pytest.approx(loss.item())
    assert 0 <= seen["pairs_accuracy"] <= 1


def test_a_step_trains_all_that_is_trained_and_nothing_else(make_module, batch):
    module = make_module()
    optimizer = module.configure_optimizers()["optimizer"]
    before = {name: value.clone() for name, value in module.named_parameters()}
    module.training_step(batch, 0).backward()
    optimizer.step()
    for name, value in module.named_parameters():
        # the reduction and the key side have no gradient; everything else has moved
        assert torch.equal(value, before[name]) is not value.requires_grad, name
        assert value.requires_grad is ("key_" not in name), name
    module.on_train_batch_end(None, batch, 0)
    keys = {name: value for name, value in module.named_parameters() if "key_" in name}
    assert any(not torch.equal(value, before[name]) for name, value in keys.items())


def test_steps_on_one_batch_lower_its_loss(make_module, batch):
    module = make_module(views={"strength": 0.1})
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
    losses = []
    for step in range(12):
        module.on_train_epoch_start()
        loss = module.training_step(batch, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def seen_by_the_trunk(module, batch):
    seen = []
    hook = module.encoder.trunk.register_forward_pre_hook(lambda trunk, given: seen.append(given[0].clone()))
    module.training_step(batch, 0)
    hook.remove()
    return seen[0]


def test_views_depend_on_seed_and_epoch_alone(make_module, batch, monkeypatch):
    first = seen_by_the_trunk(make_module(), batch)
    torch.rand(7)
    assert torch.equal(seen_by_the_trunk(make_module(), batch), first)
    assert not torch.equal(seen_by_the_trunk(make_module(train={"seed": 2}), batch), first)
    monkeypatch.setattr(EncoderModule, "current_epoch", 1)
    assert not torch.equal(seen_by_the_trunk(make_module(), batch), first)


def test_the_second_step_sees_other_views(make_module, batch):
    module = make_module()
    assert not torch.equal(seen_by_the_trunk(module, batch), seen_by_the_trunk(module, batch))


@pytest.mark.parametrize("count", [1, CHUNK, CHUNK + 1, 2 * CHUNK + 5])
@pytest.mark.parametrize("name", ["pair", "single", "view"])
def test_a_view_of_each_galaxy_in_its_place(settings, draw_blobs, name, count):
    """Of views without strength, every one still shows the brightness of its own galaxy in the middle."""
    peaks = torch.linspace(0.3, 0.9, count)
    x = torch.cat([draw_blobs(1, 32, 0.15, peak=peak) for peak in peaks])
    params = settings(views={"strength": 0}, objective={"pairs": {"separation": [1.2, 1.3], "size_ratio": [0.3, 0.4]}})
    found = make_view(name, x, params, torch.Generator().manual_seed(0))
    assert found.shape == x.shape
    assert 0 <= found.min() <= found.max() <= 1
    middle, expected = (image[:, :, 15:17, 15:17].mean((1, 2, 3)) for image in (found, x))
    assert (middle > expected - 0.05).all()
    assert (middle - expected).abs().median() < 0.03


def test_without_the_pairs_term_a_single_is_a_plain_view(settings, draw_blobs):
    x = draw_blobs(5, 32, 0.15)
    params = settings(objective=only("simclr"))
    found = make_view("single", x, params, torch.Generator().manual_seed(2))
    assert torch.equal(found, random_view(x, ViewsParams(), torch.Generator().manual_seed(2)))


def test_the_epoch_shows_means_over_its_steps(make_module, batch):
    module = make_module(steps=2)
    losses = [module.training_step(batch, step).item() for step in range(2)]
    found = module.epoch_metrics
    assert found["loss"] == pytest.approx(sum(losses) / 2)
    assert list(found) == ["pairs", "pairs_accuracy", "simclr", "moco", "loss"]
    module.on_train_epoch_start()
    assert module.epoch_metrics == {}


@pytest.mark.parametrize(("name", "columns"), [("pairs", ["pairs_accuracy", "loss"]), ("simclr", ["loss"])])
def test_a_term_alone_is_the_loss_and_not_told_twice(make_module, batch, name, columns):
    module = make_module(only(name))
    module.training_step(batch, 0)
    assert list(module.epoch_metrics) == columns


class TestOptimiser:
    def test_biases_and_normalisation_do_not_decay(self, make_module):
        module = make_module(train={"weight_decay": 0.1})
        groups = module.configure_optimizers()["optimizer"].param_groups
        decays = {id(part): group["weight_decay"] for group in groups for part in group["params"]}
        for name, part in module.named_parameters():
            if part.requires_grad:
                matrix = name.endswith("weight") and "bn" not in name and "downsample.1" not in name
                assert decays.pop(id(part)) == (0.1 if matrix else 0.0), name
        assert not decays

    @pytest.mark.parametrize("warmup", [0.0, 1.0, 2.5])
    def test_the_rate_warms_up_and_falls_as_a_cosine(self, make_module, warmup):
        module = make_module(steps=10, train={"epochs": 4, "warmup_epochs": warmup, "learning_rate": 0.01})
        made = module.configure_optimizers()
        assert made["lr_scheduler"]["interval"] == "step"
        optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
        rates = []
        for _ in range(41):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        cosine = [0.005 * (1 + math.cos(math.pi * step / 40)) for step in range(41)]
        ramp = [min(1, (step + 1) / (10 * warmup + 1)) for step in range(41)]
        assert rates == pytest.approx([a * b for a, b in zip(cosine, ramp, strict=True)])
        assert rates[-1] == pytest.approx(0)
        assert rates[0] > 0

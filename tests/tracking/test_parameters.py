"""Parameters and name of a run."""

from __future__ import annotations

from mergerscope.params import Params, parse_params
from mergerscope.tracking.parameters import model_parameters, run_name


def test_only_what_shapes_the_model_is_a_parameter() -> None:
    names = set(model_parameters(Params()))
    blocks = {name.partition(".")[0] for name in names}
    assert blocks == {"target", "flux", "shard", "views", "encoder", "objective", "train", "embed"}
    assert {name for name in names if name.startswith(("shard.", "embed."))} == {
        "shard.crop", "shard.size", "embed.pooling", "embed.views",
    }
    assert "train.device" not in names


def test_parameters_of_terms_that_take_no_part_are_left_out() -> None:
    pairs_alone = model_parameters(parse_params({"objective": {"simclr": {"weight": 0.0}}}))
    assert all(name.startswith("objective.pairs.") for name in pairs_alone if name.startswith("objective"))
    assert "objective.pairs.separation" in pairs_alone
    moco = model_parameters(parse_params({"objective": {"moco": {"weight": 1.0}, "pairs": {"weight": 0.0}}}))
    assert {"objective.moco.queue", "objective.temperature", "objective.simclr.weight"} <= moco.keys()
    assert not any(name.startswith("objective.pairs") for name in moco)


def test_values_are_plain_text() -> None:
    settings = {"objective": {"pairs": {"separation": [0.1, 0.25]}}, "train": {"epochs": 16, "precision": "auto"}}
    values = model_parameters(parse_params(settings))
    assert values["objective.pairs.separation"] == "0.1 to 0.25"
    assert values["train.precision"] == "auto"
    assert values["train.epochs"] == "16"


def test_the_name_says_objective_size_and_strength() -> None:
    size = {"encoder": {"depth": 34, "width": 0.5}, "shard": {"size": 96}, "views": {"strength": 0.25}}
    weights = {"pairs": {"weight": 1.0}, "simclr": {"weight": 0.3}}
    assert run_name(parse_params({**size, "objective": weights})) == "pairs+0.3simclr r34w0.5 96px s0.25"
    alone = {"pairs": {"weight": 0.0}, "simclr": {"weight": 0.0}, "moco": {"weight": 1.0}}
    references = parse_params({**size, "objective": alone, "train": {"images": "references"}})
    assert run_name(references) == "moco r34w0.5 96px s0.25 references"


def test_the_split_matters_only_where_training_sees_roles() -> None:
    assert "split.seed" not in model_parameters(Params())
    assert model_parameters(parse_params({"train": {"images": "references"}}))["split.seed"] == str(Params().split.seed)


def test_what_only_one_stretch_reads_is_told_with_it_alone():
    assert "flux.softening" not in model_parameters(Params())
    told = model_parameters(parse_params({"flux": {"stretch": "lupton", "scale": [1.0, 2.5]}}))
    assert (told["flux.stretch"], told["flux.softening"], told["flux.scale"]) == ("lupton", "8.0", "1.0, 2.5")

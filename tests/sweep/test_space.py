"""Every wrong entry of the space is told by its place, before anything is trained."""

import subprocess
import sys

import pytest

from mergerscope.errors import ParameterError
from mergerscope.params import Params, parse_params
from mergerscope.sweep.space import baseline_values, check_space, packs, ranks


def with_space(space, **blocks):
    return parse_params({**blocks, "sweep": blocks.get("sweep", {}) | {"space": space}})


def numbers(low, high, kind="float", **more):
    return {"type": kind, "low": low, "high": high, **more}


def choices(*values):
    return {"type": "categorical", "choices": list(values)}


def test_the_default_space_holds_the_default_settings():
    check_space(Params())
    assert baseline_values(Params()) == {"views.strength": 0.5, "encoder.embedding_dim": 512}


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("objective.pairs.weight", numbers(0.0, 2.0)),
        ("objective.temperature", numbers(0.05, 1.0, log=True)),
        ("train.learning_rate", numbers(1e-4, 1e-2, log=True)),
        ("train.batch_size", choices(64, 128, 256)),
        ("encoder.depth", choices(18, 34, 50)),
        ("encoder.depth", numbers(18, 34, "int", step=16)),
        ("encoder.embedding_dim", numbers(2, 8192, "int")),
        ("shard.crop", numbers(0.3, 1.0)),
        ("embed.pooling", choices("last", "stages")),
        ("views.strength", numbers(0, 1, step=0.25)),
    ],
)
def test_what_can_be_searched(name, entry):
    check_space(with_space({name: entry}))


@pytest.mark.parametrize(
    ("name", "entry", "words"),
    [
        ("views.strenght", numbers(0.0, 1.0), "is no parameter; did you mean `views.strength`?"),
        ("nothing.like.it", numbers(0.0, 1.0), "blocks that can be searched are flux, views, encoder, objective"),
        ("flux.bin", numbers(1, 2, "int"), "cannot be searched: it changes the examination"),
        ("views", numbers(0.0, 1.0), "is no parameter"),
        ("views.strength", numbers(0.0, 1.5), "has 1.5, which is refused: `views.strength` should be less than"),
        ("views.strength", numbers(-0.1, 1.0), "has -0.1, which is refused"),
        ("encoder.embedding_dim", numbers(32, 1024), "has 32.0, which is refused: `encoder.embedding_dim` should be a"),
        ("encoder.embedding_dim", numbers(1, 1024, "int"), "has 1, which is refused"),
        ("encoder.depth", numbers(18, 50, "int"), "has 19, which is refused"),
        ("encoder.depth", choices(18, 19), "has 19, which is refused"),
        ("embed.pooling", choices("stages", "first"), "has 'first', which is refused"),
        ("train.precision", choices(32, 16), "has 32, which is refused"),
        ("objective.pairs.separation", numbers(0.1, 1.0), "is refused"),
        ("views.strength", numbers(0.6, 1.0), "the present value is 0.5: widen the space"),
        ("views.strength", choices(0.1, 0.9), "is 0.1 or 0.9, and the present value is 0.5: widen"),
        ("views.strength", numbers(0.0, 1.0, step=0.2), "is 0.0 to 1.0 in steps of 0.2, and the present value is 0.5"),
        ("views.strength", numbers(0, 1, "int"), "the present value is 0.5"),
        ("split.hidden_fraction", numbers(0.1, 0.5), "cannot be searched: it changes the examination"),
        ("target.threshold", numbers(0.1, 0.5), "cannot be searched: it changes the examination"),
        ("train.seed", numbers(1, 9, "int"), "cannot be searched: it changes the examination"),
        ("train.monitor_k", numbers(1, 200, "int"), "cannot be searched: it changes the examination"),
        ("rank.folds", numbers(2, 9, "int"), "cannot be searched: it changes the examination"),
        ("shard.workers", numbers(0, 4, "int"), "cannot be searched: it changes how fast"),
        ("evaluate.splits", numbers(1, 9, "int"), "cannot be searched: no trial reads it"),
        ("sweep.repeats", numbers(1, 9, "int"), "cannot be searched: a sweep does not search its own"),
        ("train.epochs", numbers(1, 32, "int"), "needs `sweep.epochs: 0`"),
        ("rank.ranker", choices("auto", "lda"), "cannot have auto"),
        ("rank.ranker", choices("lda", "pairs_head", "blend"), "cannot have pairs_head or blend"),
        ("rank.ranker", choices("lda", "whitened"), "the present value is auto: set it to one of them first"),
        ("rank.nearest_references", numbers(1, 20, "int"), "is read by rank.ranker nearest and contrast alone"),
    ],
)
def test_what_cannot(name, entry, words):
    with pytest.raises(ParameterError) as caught:
        check_space(with_space({name: entry}))
    assert str(caught.value).startswith(f"params.yaml: `sweep.space.{name}` ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (numbers(1.0, 0.0), "needs low < high"),
        (numbers(float("nan"), 1.0), "needs low < high"),
        (numbers(0.0, float("inf")), "needs low < high"),
        (numbers(0.0, 1.0, log=True), "needs low above 0"),
        (numbers(0.0, 1.0, step=0.3), "a step above 0 that leads from low to high"),
        (numbers(0.1, 1.0, step=0.1, log=True), "either a step or log"),
        (numbers(0.5, 2, "int"), "whole numbers"),
        (numbers(True, 2), "should be a number"),
        ({"type": "float", "low": 0.0}, "needs low and high"),
        ({"type": "float", "choices": [1, 2]}, "has a range, not choices"),
        ({"type": "categorical", "low": 0.0, "high": 1.0}, "has choices, not low and high"),
        (choices(0.5), "at least two choices"),
        (choices(0.5, 0.5), "equal choices"),
        (choices([0.1, 0.2], 0.5), "should be a number, a word, true or false"),
        ({"type": "floot"}, "should be 'float', 'int' or 'categorical'"),
        (numbers(0.0, 1.0, hihg=2), "did you mean `sweep.space.views.strength.high`?"),
        (3, "should be a valid dictionary"),
    ],
)
def test_entries_that_are_none(entry, words):
    with pytest.raises(ParameterError) as caught:
        with_space({"views.strength": entry})
    assert words in str(caught.value)
    assert "`sweep.space.views.strength" in str(caught.value)


def test_an_empty_space():
    with pytest.raises(ParameterError, match=r"sweep\.space"):
        with_space({})


def test_all_mistakes_at_once():
    space = {"views.strenght": numbers(0.0, 1.0), "train.seed": numbers(1, 2, "int"), "encoder.width": numbers(0, 9.0)}
    with pytest.raises(ParameterError) as caught:
        check_space(with_space(space))
    assert len(str(caught.value).splitlines()) == 3


def test_several_objectives_need_a_size_to_choose():
    with pytest.raises(ParameterError, match=r"sweep\.multi_objective.*encoder\.embedding_dim"):
        check_space(with_space({"views.strength": numbers(0.0, 1.0)}, sweep={"multi_objective": True}))


def test_rankers_and_what_they_read():
    space = {"rank.ranker": choices("nearest", "whitened"), "rank.nearest_references": numbers(1, 20, "int")}
    params = with_space(space, rank={"ranker": "whitened"})
    check_space(params)
    assert ranks(params)
    assert not packs(params)
    assert packs(with_space({"shard.crop": numbers(0.3, 1.0)}))


@pytest.mark.parametrize(
    "arguments", [["--study", "a/b"], ["--study", ".."], ["--study", "x", "--trials", "0"], ["--study", "x"]]
)
def test_bad_input_is_told_before_torch_is_loaded(tmp_path, arguments):
    (tmp_path / "params.yaml").write_text("sweep: {space: {views.strenght: {type: float, low: 0, high: 1}}}")
    code = f"""
import sys
from mergerscope.cli import main
try:
    main({["sweep", *arguments]!r})
finally:
    assert not {{"torch", "mlflow", "optuna"}} & sys.modules.keys()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode in (2, 9)
    assert "rror: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "sweeps").exists()

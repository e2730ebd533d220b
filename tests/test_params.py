"""params.yaml is read strictly, explained fully, and says what is wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mergerscope import params
from mergerscope.errors import ParameterError
from mergerscope.explain import settings
from mergerscope.params import Params, load_params, parse_params
from mergerscope.params.fields import Block

ROOT = Path(__file__).parents[1]


def blocks_of(block):
    for field in block.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Block):
            yield field.annotation
            yield from blocks_of(field.annotation)


def test_every_block_comes_from_the_package_itself():
    blocks = {block.__name__ for block in blocks_of(Params)}
    assert {"SurveyParams", "PairsParams", "ReportParams"} <= blocks
    others = {"Params", "Searched", "load_params", "names", "parse_params", "value_at", "with_values"}
    assert set(params.__all__) == blocks | others
    assert all(getattr(params, name) for name in params.__all__)


def leaves(tree, prefix=""):
    for name, value in tree.items():
        # the space of a sweep is one setting, whatever it names
        if isinstance(value, dict) and f"{prefix}{name}" != "sweep.space":
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def written(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_file_in_the_repository_names_every_setting_in_the_order_of_the_classes():
    tree = YAML(typ="safe").load(ROOT / "params.yaml")
    assert [path for path, _ in leaves(tree)] == [setting.path for setting in settings(Params())]
    load_params(ROOT / "params.yaml")


def test_the_blocks_are_those_that_others_build_on():
    blocks = dict.fromkeys(setting.block for setting in settings(Params()))
    assert " ".join(blocks) == (
        "survey target split flux shard views encoder objective train register embed evaluate rank report sweep"
    )


def test_an_empty_file_means_every_default(tmp_path):
    assert load_params(written(tmp_path, "")) == Params()


def test_numbers_are_read_as_dvc_reads_them(tmp_path):
    assert load_params(written(tmp_path, "train: {learning_rate: 1e-3}")).train.learning_rate == 0.001


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Params().train.epochs = 3


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"train": {"epoch": 3}}, ["params.yaml", "`train.epoch`", "did you mean `train.epochs`?"]),
        ({"trian": {}}, ["`trian`", "did you mean `train`?"]),
        ({"objective": {"simclr": {"wieght": 1}}}, ["`objective.simclr.wieght`", "`objective.simclr.weight`"]),
        ({"register": {"gat": "none"}}, ["`register.gat`", "`register.gate`"]),
        ({"views": {"zzzz": 1}}, ["`views.zzzz`", "known here: strength, min_field"]),
        ({"train": {"epochs": "ten"}}, ["`train.epochs`", "valid integer", "got 'ten'"]),
        ({"train": {"epochs": 2.5}}, ["`train.epochs`", "got 2.5"]),
        ({"train": {"epochs": 0}}, ["`train.epochs`", "greater than 0", "got 0"]),
        ({"train": {"epochs": True}}, ["`train.epochs`", "got True"]),
        ({"shard": {"crop": 1.5}}, ["`shard.crop`", "less than or equal to 1", "got 1.5"]),
        ({"shard": {"size": "96"}}, ["`shard.size`", "got '96'"]),
        ({"rank": {"ranker": "best"}}, ["`rank.ranker`", "'mean_cosine'", "got 'best'"]),
        ({"objective": {"pairs": {"separation": [0.5, 0.1]}}}, ["`objective.pairs.separation`", "[low, high]"]),
        ({"objective": {"pairs": {"weight": 0}, "simclr": {"weight": 0}}}, ["`objective`", "at least one of"]),
        ({"survey": 3}, ["`survey`", "got 3"]),
        ([1, 2], ["the file", "got [1, 2]"]),
    ],
)
def test_a_wrong_entry_is_named_with_what_was_got(tree, words):
    with pytest.raises(ParameterError) as caught:
        parse_params(tree)
    for word in words:
        assert word in str(caught.value)


def test_every_wrong_entry_is_told_at_once():
    with pytest.raises(ParameterError) as caught:
        parse_params({"train": {"epochs": 0, "seed": "one"}, "shard": {"crop": 2}})
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("text", ["train: [", "a: b: c", "train:\n\t- x"])
def test_what_is_no_yaml_is_said_to_be_none(tmp_path, text):
    with pytest.raises(ParameterError, match="no valid YAML"):
        load_params(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ParameterError, match=r"nowhere\.yaml is missing"):
        load_params(tmp_path / "nowhere.yaml")


names = st.text(st.characters(categories=["Ll", "Nd"], include_characters="_."), min_size=1, max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
)
blocks = st.sampled_from([field.alias or name for name, field in Params.model_fields.items()])


@given(st.dictionaries(blocks | names, st.dictionaries(names, values, max_size=3) | values, max_size=3))
def test_whatever_stands_in_the_file_is_read_or_refused_by_name(tree):
    refusal = None
    try:
        parse_params(tree)
    except ParameterError as error:
        refusal = str(error)
    assert refusal is None or refusal.startswith("params.yaml: ")


def test_a_round_trip_through_yaml_changes_nothing(tmp_path):
    params = parse_params({"train": {"epochs": 3}, "objective": {"pairs": {"separation": [0.1, 0.2]}}})
    path = tmp_path / "params.yaml"
    YAML(typ="safe").dump(params.model_dump(mode="json", by_alias=True), path)
    assert load_params(path) == params


def test_every_setting_is_explained_with_its_default_and_range():
    for setting in settings(Params()):
        assert setting.meaning.endswith("."), setting.path
        assert setting.value == setting.default != "", setting.path
        assert setting.allowed, setting.path
        assert "None" not in setting.value, setting.path


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("shard.crop", "float > 0, <= 1"),
        ("train.epochs", "int > 0"),
        ("encoder.depth", "18 | 34 | 50"),
        ("objective.pairs.separation", "[low, high], 0 < low <= high"),
        ("train.seed", "int >= 0, < 1e+09"),
        ("flux.zero_point", "float or null"),
        ("sweep.multi_objective", "true | false"),
    ],
)
def test_ranges_are_told_in_full(path, allowed):
    (setting,) = [setting for setting in settings(Params()) if setting.path == path]
    assert setting.allowed == allowed


def test_the_objective_has_a_readable_name():
    assert Params().objective.name == "pairs+0.3simclr"
    assert parse_params({"objective": {"pairs": {"weight": 0}, "simclr": {"weight": 0}, "moco": {"weight": 1}}}) \
        .objective.name == "moco"

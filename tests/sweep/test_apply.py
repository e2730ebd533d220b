"""The best values in params.yaml, and every other character as it was."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mergerscope.errors import ContractError, ParameterError, SweepError
from mergerscope.params import load_params
from mergerscope.paths import Paths
from mergerscope.sweep.apply import Change, apply
from mergerscope.sweep.edit import replaced
from mergerscope.sweep.yaml_text import as_yaml

SHIPPED = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")


def project(root: Path, text: str, best: str | None, name: str = "one") -> Paths:
    (root / "params.yaml").write_bytes(text.encode())
    (root / "sweeps" / name).mkdir(parents=True)
    if best is not None:
        (root / "sweeps" / name / "best.yaml").write_text(best, encoding="utf-8")
    return Paths(root)


def changed_lines(before: str, after: str) -> list[tuple[str, str]]:
    return [pair for pair in zip(before.splitlines(), after.splitlines(), strict=True) if pair[0] != pair[1]]


def test_only_the_values_change_and_comments_keep_their_column(tmp_path: Path) -> None:
    best = "# why\nviews.strength: 0.42731\nencoder.embedding_dim: 96\nobjective.pairs.separation: [0.3, 1.0]\n"
    paths = project(tmp_path, SHIPPED, best)
    assert apply(paths, "one") == [
        Change("views.strength", 0.5, 0.42731), Change("encoder.embedding_dim", 512, 96),
        Change("objective.pairs.separation", (0.25, 1.1), (0.3, 1.0)),
    ]
    after = paths.params.read_text(encoding="utf-8")
    lines = changed_lines(SHIPPED, after)
    assert [new for _, new in lines] == [
        "  strength: 0.42731       # 0: none, 1: strongest; scales every augmentation at once",
        "  embedding_dim: 96",
        "    separation: [0.3, 1.0]  # of the centres, in units of the sum of the two radii",
    ]
    assert lines[0][0].index("#") == lines[0][1].index("#")
    assert load_params(paths.params).objective.pairs.separation == (0.3, 1.0)
    assert apply(paths, "one") == []
    assert paths.params.read_text(encoding="utf-8") == after


def test_a_parameter_left_to_its_default_is_added_to_its_block(tmp_path: Path) -> None:
    text = "# head\nviews:\n  min_field: 0.7 # kept\n\n# of the ranking\nrank: {folds: 5}\n"
    best = "views.strength: 1.0e-05\nrank.ranker: lda\nobjective.pairs.encounters: 0.5\nencoder.embedding_dim: 64\n"
    paths = project(tmp_path, text, best)
    apply(paths, "one")
    assert paths.params.read_text(encoding="utf-8") == (
        "# head\nviews:\n  min_field: 0.7 # kept\n  strength: 1.0e-05\n\n# of the ranking\n"
        "rank: {folds: 5, ranker: lda}\nobjective:\n  pairs:\n    encounters: 0.5\nencoder:\n  embedding_dim: 64\n"
    )


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", "views:\n  strength: 0.25\n"),
        ("# nothing\n", "# nothing\nviews:\n  strength: 0.25\n"),
        ("views:\r\n  strength: 1 # all\r\nrank:\r\n  top: 7", "views:\r\n  strength: 0.25 # all\r\nrank:\r\n  top: 7"),
        ("views: {strength: 0.75}", "views: {strength: 0.25}"),
        ("views: {}\n", "views: {strength: 0.25}\n"),
        ("'views':\n    \"strength\": 1.0", "'views':\n    \"strength\": 0.25"),
        ("train:\n  epochs: 2", "train:\n  epochs: 2\nviews:\n  strength: 0.25\n"),
    ],
)
def test_other_ways_to_write_it(tmp_path: Path, text: str, after: str) -> None:
    paths = project(tmp_path, text, "views.strength: 0.25\n")
    apply(paths, "one")
    assert paths.params.read_bytes() == after.encode()


def test_a_list_over_several_lines_becomes_one(tmp_path: Path) -> None:
    text = "objective:\n  pairs:\n    separation:\n    - 0.2\n    - 0.9\n\n  # next\n  temperature: 0.1\n"
    paths = project(tmp_path, text, "objective.pairs.separation: [0.3, 1.0]\nobjective.pairs.weight: 2.0\n")
    apply(paths, "one")
    assert load_params(paths.params).objective.pairs.separation == (0.3, 1.0)
    assert load_params(paths.params).objective.pairs.weight == 2.0
    assert "\n  # next\n  temperature: 0.1\n" in paths.params.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("best", "error", "words"),
    [
        ("views.strenght: 0.5\n", ContractError, "`views.strenght` is no parameter"),
        ("views: 0.5\n", ParameterError, "`views`"),
        ("views.strength: 3.5\n", ParameterError, "params.yaml with the values of sweeps/one/best.yaml: `views.stre"),
        ("views.strength: auto\n", ParameterError, "`views.strength`"),
        ("- 1\n", ContractError, "dotted names"),
        ("", ContractError, "dotted names"),
        ("a: [\n", ContractError, "no valid YAML"),
        (None, SweepError, "no trial was completed"),
    ],
)
def test_what_cannot_be_applied_leaves_the_file_alone(
    tmp_path: Path, best: str | None, error: type[Exception], words: str
) -> None:
    paths = project(tmp_path, SHIPPED, best)
    with pytest.raises(error, match=words):
        apply(paths, "one")
    assert paths.params.read_text(encoding="utf-8") == SHIPPED
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["params.yaml"]


def test_a_sweep_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    paths = project(tmp_path, SHIPPED, "views.strength: 0.5\n")
    with pytest.raises(SweepError, match=r"no sweep named two.*sweeps here are: one"):
        apply(paths, "two")


@pytest.mark.parametrize(
    "text",
    [
        "views:\n  strength: &s 0.5\n  min_field: *s\n",
        "views:\n  min_field: &s 0.5\n  strength: *s\n",
    ],
)
def test_a_value_that_others_share_is_left_to_the_user(tmp_path: Path, text: str) -> None:
    paths = project(tmp_path, text, "views.strength: 0.25\n")
    with pytest.raises(ParameterError, match="by hand"):
        apply(paths, "one")
    assert paths.params.read_text(encoding="utf-8") == text


def test_another_params_file(tmp_path: Path) -> None:
    paths = project(tmp_path, SHIPPED, "views.strength: 0.25\n")
    other = tmp_path / "zoo.yaml"
    other.write_text("views:\n  strength: 1.0\n", encoding="utf-8")
    assert apply(paths, "one", other) == [Change("views.strength", 1.0, 0.25)]
    assert other.read_text(encoding="utf-8") == "views:\n  strength: 0.25\n"
    assert paths.params.read_text(encoding="utf-8") == SHIPPED


LEAVES = [
    "views.strength", "encoder.embedding_dim", "objective.temperature", "objective.pairs.weight", "train.learning_rate",
    "train.seed", "rank.ranker", "shard.crop", "embed.pooling", "objective.pairs.separation",
]  # fmt: skip
SCALARS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**9), 10**9), st.booleans(), st.none(),
    st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), max_size=20),
)  # fmt: skip


@settings(max_examples=20)  # each reads the whole file several times
@given(st.lists(st.tuples(st.sampled_from(LEAVES), SCALARS), max_size=3))
def test_any_value_is_read_back_and_nothing_else_changes(edits: list[tuple[str, object]]) -> None:
    yaml = YAML(typ="safe", pure=True)
    text, wanted = SHIPPED, yaml.load(SHIPPED)
    for name, value in edits:
        text = replaced(text, name.split("."), value)
        *path, last = name.split(".")
        block = wanted
        for part in path:
            block = block[part]
        block[last] = value
    assert yaml.load(text) == wanted
    touched = {name.split(".")[-1] for name, _ in edits}
    for old, _ in changed_lines(SHIPPED, text):
        assert old.strip().split(":")[0] in touched


@given(st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_a_value_keeps_its_type(value: object) -> None:
    back = YAML(typ="safe", pure=True).load(f"x: {as_yaml(value)} # comment\n")["x"]
    assert back == value
    assert type(back) is type(value)


import shutil
import subprocess
from dataclasses import replace

import pytest
from ruamel.yaml import YAML

from mergerscope.errors import ContractError
from mergerscope.params import ShardParams, parse_params
from mergerscope.report.card import model_card
from mergerscope.report.identity import identity, settings_text, source_commit, versions
from mergerscope.report.training import load_training


def test_settings_read_back_as_they_are(made):
    params = made.made_params(rank={"ranker": "lda"}, shard={"workers": ShardParams().workers})
    tree = YAML(typ="safe", pure=True).load(settings_text(params))
    assert parse_params(tree) == params


@pytest.mark.parametrize(
    ("block", "field", "values"),
    [("shard", "workers", (1, 7)), ("embed", "engine", ("local", "ray")), ("rank", "engine", ("local", "ray"))],
)
def test_who_does_the_work_is_not_part_of_the_page(made, block, field, values):
    one, other = (settings_text(made.made_params(**{block: {field: value}})) for value in values)
    assert one == other
    assert "per_shard" in one


def test_what_it_was_trained_on_is_what_the_training_says(inputs):
    """Not what params.yaml asks for: a training may stop early, and see fewer galaxies than there are."""
    metrics = inputs.training.metrics | {"images": 21, "epochs": 1}
    assert inputs.params.train.epochs != 1
    other = replace(inputs, training=replace(inputs.training, metrics=metrics))
    assert dict(identity(other, {})["Model"])["Trained on"] == "21 images, 1 epoch"
    card = model_card(other)
    assert ", 1 epochs," not in card
    assert "it sees 21 of them, the references alone" in card
    assert "which sees every image" in model_card(inputs)


@pytest.mark.parametrize("content", ["{}", '{"images": 3}', '{"images": "many", "epochs": 2}'])
def test_a_training_that_does_not_say_is_told(inputs, tmp_path, content):
    shutil.copytree(inputs.paths.train_results, tmp_path / "train")
    (tmp_path / "train" / "metrics.json").write_text(content)
    with pytest.raises(ContractError, match=r"lacks `images` or `epochs`.*mergerscope train"):
        load_training(tmp_path / "train")


def test_samples_that_cannot_be_read_name_the_file_and_the_stage(inputs, tmp_path):
    shutil.copytree(inputs.paths.train_results, tmp_path / "train")
    (tmp_path / "train" / "samples.safetensors").write_bytes(b"PK")
    with pytest.raises(ContractError, match=r"samples.safetensors cannot be read.*mergerscope train"):
        load_training(tmp_path / "train")


def test_versions_name_the_package_and_what_it_stands_on():
    names = [name for name, _ in versions()]
    assert names[:2] == ["mergerscope", "Python"]
    assert {"torch", "numpy"} <= set(names)


def test_source_commit_is_the_last_one_that_changed_the_source(tmp_path):
    def git(*words):
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert source_commit(tmp_path) is None
    git("init", "-q")
    (tmp_path / "params.yaml").write_text("a: 1\n")
    git("add", ".")
    git("commit", "-q", "-m", "settings")
    first = git("rev-parse", "HEAD")
    (tmp_path / "dvc.lock").write_text("lock\n")
    git("add", ".")
    git("commit", "-q", "-m", "outcome of a run")
    assert source_commit(tmp_path) == first
    (tmp_path / "params.yaml").write_text("a: 2\n")
    assert source_commit(tmp_path) == f"{first} with uncommitted changes"

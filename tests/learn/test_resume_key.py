"""One key for checkpoints and for the tracked run."""

from dataclasses import replace

import numpy as np
import pytest

from mergerscope.learn.fit import fit
from mergerscope.learn.resume_key import training_key
from mergerscope.params import Params, parse_params
from mergerscope.shards.manifest import Manifest
from mergerscope.survey.catalog import read_catalog
from mergerscope.tracking.parameters import model_parameters
from mergerscope.tracking.resume import ResumePoint
from mergerscope.tracking.runs import training_run

CHANGES = {
    "target": {"threshold": 0.4, "column": "other"},
    "split": {"seed": 9, "hidden_fraction": 0.2},
    "flux": {"bin": 2, "stretch": "lupton"},
    "shard": {"crop": 0.7, "size": 48},
    "views": {"strength": 0.1, "min_field": 0.6, "pixel_arcsec": 0.4},
    "encoder": {"depth": 34, "width": 1.0, "embedding_dim": 64},
    "objective": {"temperature": 0.3, "projection_dim": 64, "moco": {"weight": 0.5}, "pairs": {"weight": 0.7}},
    "train": {"epochs": 3, "seed": 4, "batch_size": 64, "images": "references", "patience": 2, "device": "cpu"},
    "embed": {"pooling": "last", "views": 1},
}


@pytest.fixture(scope="module")
def inputs(small):
    return Manifest.load(small.manifest), read_catalog(small.catalog)


@pytest.mark.parametrize(("block", "name"), [(block, name) for block, names in CHANGES.items() for name in names])
def test_the_key_follows_every_parameter_of_a_training(inputs, block, name):
    changed = parse_params({block: {name: CHANGES[block][name]}})
    assert training_key(changed, *inputs) != training_key(Params(), *inputs)


def test_no_parameter_that_a_run_tells_is_left_out_above():
    told = {tuple(name.split(".")[:2]) for name in model_parameters(parse_params({"train": {"images": "references"}}))}
    assert {block for block, _ in told} == CHANGES.keys()


@pytest.mark.parametrize("change", [
    {"rank": {"top": 7}}, {"evaluate": {"splits": 2}}, {"shard": {"workers": 3, "per_shard": 7}},
    {"register": {"gate": "none"}}, {"report": {"gallery": 4}},
])  # fmt: skip
def test_other_stages_leave_it_alone(inputs, change):
    """Galaxies a shard change the shards, and so the key, but by their bytes."""
    assert training_key(parse_params(change), *inputs) == training_key(Params(), *inputs)


def test_the_key_follows_shards_roles_votes_and_pixels(inputs):
    manifest, catalog = inputs
    others = [
        (replace(manifest, shards=manifest.shards[1:]), catalog),
        (manifest, catalog.with_columns(role=np.where(catalog.role == "hidden", "reference", catalog.role))),
        (manifest, catalog.with_columns(judged=~catalog.judged)),
        (manifest, catalog.with_columns(known_merger=~catalog.known_merger)),
        (manifest, catalog.with_columns(pixel_digest=catalog.pixel_digest[::-1].copy())),
    ]
    keys = {training_key(Params(), *one) for one in [inputs, *others]}
    assert len(keys) == 6


def test_checkpoints_and_the_run_are_kept_under_one_key(inputs, small, settings, tmp_path, monkeypatch):
    """What `fit` calls its folder is what the run in progress remembers."""

    def stop(epoch, row):
        raise ArithmeticError

    manifest, catalog = inputs
    params, given = settings(train={"epochs": 2}), []
    with pytest.raises(ArithmeticError):
        fit(params, small.shards, catalog, scratch=tmp_path / "points", on_epoch=stop)
    (points,) = (tmp_path / "points").iterdir()

    class Seen(ResumePoint):
        def __init__(self, paths, client, training):
            given.append(training)
            raise ArithmeticError

    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("mergerscope.tracking.runs.ResumePoint", Seen)
    monkeypatch.setattr("mergerscope.tracking.runs.initialise", lambda paths: None)
    with pytest.raises(ArithmeticError), training_run(small, params):
        pass
    assert given == [training_key(params, manifest, catalog)]
    assert given[0].startswith(points.name)

"""Surveys of flux from files to the report: simulated Legacy Survey cutouts, and SDSS's by the example's settings."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mergerscope.cli import cli
from mergerscope.completeness import run as completeness
from mergerscope.learn.embed import embed_images
from mergerscope.params import load_params, parse_params, with_values
from mergerscope.paths import Paths
from mergerscope.query import run as query
from mergerscope.query.request import Request
from mergerscope.report.inputs import load_inputs
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_shard
from mergerscope.shards.shown import shown_bytes, stretch_of
from mergerscope.stages import catalog, embed, evaluate, rank, register, report, shard, train
from mergerscope.tracking.champion import load_champion

ROOT = Path(__file__).parents[2]
QUICK = {
    "target.column": "Class8.6", "target.threshold": 0.3, "shard.max_refused": 0.2, "shard.workers": 1,
    "shard.per_shard": 20, "encoder.width": 0.125, "train.epochs": 1, "train.batch_size": 8, "train.workers": 0,
    "train.device": "cpu", "train.precision": "32", "embed.device": "cpu", "embed.views": 1,
}  # fmt: skip


def simulate(out, survey, size, galaxies=40):
    pytest.importorskip("galsim")
    words = ["simulate", "--galaxies", galaxies, "--merger-fraction", 0.3, "--size", size, "--survey", survey,
             "--format", "fits", "--workers", 1, "--out", out]  # fmt: skip
    done = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CI", "true")
    return Paths(tmp_path)


def test_legacy_cutouts_go_all_the_way(project, monkeypatch):
    simulate(project.root / "data", "legacy", 64)
    params = with_values(parse_params({}), QUICK | {
        "survey.format": "fits", "shard.crop": 1.0, "shard.size": 32, "encoder.embedding_dim": 16,
        "register.gate": "none", "evaluate.splits": 2, "evaluate.bootstrap": 100, "evaluate.baseline_epochs": 1,
        "rank.folds": 2, "rank.top": 10, "report.map": "pca", "report.map_galaxies": 20, "report.gallery": 8,
    })  # fmt: skip
    for stage in (catalog, shard, train, register, embed, evaluate, rank, report):
        stage.run(project, params)

    manifest = Manifest.load(project.manifest)
    assert (manifest.dtype, manifest.bands, manifest.unit) == ("float32", ("g", "r", "z"), "nanomaggy")
    encoder, receipt = load_champion(project)
    assert encoder.config.flux == stretch_of(params, manifest)
    assert receipt.image_shape == [3, 32, 32]
    images = read_shard(project.shards, manifest.shards[0].name).images
    wanted = embed_images(encoder, images, views=1, batch_size=256).embedding
    np.testing.assert_allclose(np.load(project.embeddings / "shard-000000.npy"), wanted, rtol=1e-2, atol=1e-2)

    judged = json.loads((project.evaluate_results / "metrics.json").read_text())
    assert {"trained", "untrained", "rgb_pixels", "pca_pixels"} <= {row["encoder"] for row in judged["rows"]}
    page = project.report.read_text(encoding="utf-8")
    assert "flux in g, r, z, nanomaggy a pixel" in page
    ids = read_shard(project.shards, manifest.shards[0].name).ids
    pictures = load_inputs(project, params).pictures(ids)
    np.testing.assert_array_equal(pictures, shown_bytes(images, encoder.config.flux))
    # A sky that is dark, and galaxies that are not.
    assert np.quantile(pictures, 0.2) < 60
    assert (pictures.max(axis=(1, 2, 3)) > 100).mean() > 0.5

    sheets = []
    monkeypatch.setattr("mergerscope.query.run.save_contact_sheet", lambda asked, *rest: sheets.append(asked))
    query.run(project, params, Request(ids=(ids[3],), top=2))
    np.testing.assert_array_equal(sheets[0][0].image, pictures[3])

    completeness.run(project, params, 3, 7)
    found = json.loads((project.completeness_results / "metrics.json").read_text())
    assert found["recovered"]["all"]["number"] == 3
    assert (project.completeness_results / "gallery.png").is_file()


def test_sdss_cutouts_are_learnt_from_by_the_settings_of_the_example(project):
    simulate(project.root / "data", "sdss", 64)
    params = load_params(ROOT / "examples" / "sarmiento2021.yaml")
    params = with_values(params, QUICK)
    for stage in (catalog, shard, train):
        stage.run(project, params)
    manifest = Manifest.load(project.manifest)
    assert manifest.image_shape == (3, 32, 32)
    assert manifest.bands == ("g", "r", "i")
    config = json.loads(project.encoder_config.read_text())
    assert config["embedding_dim"] == 64
    assert config["flux"]["stretch"] == "linear"
    seen = stretch_of(params, manifest)(read_shard(project.shards, manifest.shards[0].name).images)
    assert (seen.min(axis=(1, 2, 3)) == 0).all()
    np.testing.assert_allclose(seen.max(axis=(1, 2, 3)), 1, rtol=1e-6)

"""The whole verb on a small project of drawn galaxies."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from mergerscope.completeness import run as verb
from mergerscope.errors import ContractError, MissingInputError
from mergerscope.learn.encoder import EncoderConfig, build_encoder, save_encoder
from mergerscope.params import parse_params
from mergerscope.paths import Paths
from mergerscope.report.completeness import completeness_panels, load_completeness, read_curves
from mergerscope.report.findings import noun_of
from mergerscope.stages import catalog, embed, rank, register, shard
from mergerscope.tracking.store import initialise

MERGERS = 4


@pytest.fixture(scope="module")
def params():
    return parse_params({
        "survey": {"root": "survey"},
        "target": {"column": "p_merger"},
        "shard": {"size": 32, "crop": 1.0, "per_shard": 16, "workers": 1},
        "encoder": {"width": 0.125, "embedding_dim": 8},
        "embed": {"batch_size": 16, "device": "cpu"},
        "rank": {"ranker": "density", "folds": 2},
    })


@pytest.fixture(scope="module")
def ranked_once(tmp_path_factory, params):
    paths = Paths(tmp_path_factory.mktemp("ranked") / "project")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
            patch.delenv(name, raising=False)
        _write_survey(paths.root / "survey")
        catalog.run(paths, params)
        shard.run(paths, params)
        config = EncoderConfig(18, 0.125, 8, "stages", 3, 32, pairs_head=True)
        save_encoder(build_encoder(config, 1), paths.encoder_weights, paths.encoder_config)
        scores = {"trained": {"average_precision": 0.6}, "untrained": {"average_precision": 0.4}}
        paths.train_results.mkdir(parents=True)
        told = {"validation": scores, "epochs": 1, "images": 30}
        (paths.train_results / "metrics.json").write_text(json.dumps(told), encoding="utf-8")
        initialise(paths)
        register.run(paths, params)
        embed.run(paths, params)
        rank.run(paths, params)
        verb.run(paths, params, MERGERS, 7)
    return paths.root


@pytest.fixture
def ranked(ranked_once, tmp_path, monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(ranked_once, tmp_path / "project")
    return Paths(tmp_path / "project")


def _write_survey(folder):
    (folder / "images").mkdir(parents=True)
    axis = np.arange(32) - 15.5
    lines = ["id,filename,p_merger"]
    for number in range(30):
        rng = np.random.default_rng(number)
        galaxy = np.exp(-np.hypot(axis[:, None] * rng.uniform(1, 2), axis[None, :]) / rng.uniform(2, 4))
        pixels = 0.05 + 0.6 * galaxy[:, :, None] * rng.uniform(0.6, 1, 3) + 0.01 * rng.standard_normal((32, 32, 3))
        picture = Image.fromarray(np.round(255 * pixels.clip(0, 1)).astype(np.uint8))
        picture.save(folder / "images" / f"g{number:02d}.png")
        lines.append(f"g{number:02d},g{number:02d}.png,{0.9 if number < 6 else 0.1}")
    # a known merger's picture under another id: neither host nor candidate
    shutil.copyfile(folder / "images/g00.png", folder / "images/g30.png")
    lines.append("g30,g30.png,0.1")
    (folder / "catalog.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_merger_is_told_of_with_host_truth_and_rank(ranked):
    lines = _table(ranked.completeness_results / "injected.csv")
    metrics = json.loads((ranked.completeness_results / "metrics.json").read_text(encoding="utf-8"))
    assert len(lines) == MERGERS
    assert metrics["candidates"] == 24
    assert metrics["k"] == [1, 24]
    for line in lines:
        assert 6 <= int(line["host_id"].removeprefix("g")) < 30
        assert 0.1 <= float(line["mass_ratio"]) <= 1
        assert 1 <= int(line["rank"]) <= 25
        assert int(line["recovered_at_1"]) == (int(line["rank"]) == 1)
        assert int(line["recovered_at_24"]) == (int(line["rank"]) <= 24)
    every = metrics["recovered"]["all"]
    assert every["number"] == MERGERS
    assert every["at"]["24"]["recovered"] == sum(int(line["recovered_at_24"]) for line in lines)
    assert metrics["single_galaxies"]["number"] == 1
    assert not metrics["point_spread"]["measured"]
    for name in ("completeness.png", "gallery.png"):
        with Image.open(ranked.completeness_results / name) as picture:
            assert min(picture.size) > 400


def test_the_curves_count_every_merger_at_every_depth(ranked):
    points = read_curves(ranked.completeness_results / "curves.csv")
    assert {point.quantity for point in points} == set(verb.QUANTITIES)
    for quantity in verb.QUANTITIES:
        for k in (1, 24):
            assert sum(p.number for p in points if (p.quantity, p.k) == (quantity, k)) == MERGERS
    assert all(point.wilson_low <= point.fraction <= point.wilson_high for point in points)
    assert len(completeness_panels(points)) == 4


def test_equal_seeds_give_equal_files_and_another_seed_others(ranked, params):
    folder = ranked.completeness_results
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    verb.run(ranked, params, MERGERS, 7)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    verb.run(ranked, params, MERGERS, 8)
    assert (folder / "injected.csv").read_bytes() != before["injected.csv"]


@pytest.mark.parametrize(
    ("missing", "stage"),
    [
        ("catalog.parquet", "catalog"), ("shards/manifest.json", "shard"), ("models/champion.json", "register"),
        ("embeddings/meta.json", "embed"), ("results/rank/choice.json", "rank"),
    ],
)
def test_what_an_earlier_stage_has_not_written_is_named(ranked, params, missing, stage):
    (ranked.root / missing).unlink()
    with pytest.raises(MissingInputError, match=f"mergerscope {stage}"):
        verb.run(ranked, params, 1, 0)


def test_a_ranking_of_other_galaxies_is_refused(ranked, params):
    path = ranked.rank_results / "choice.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"candidates": 24', '"candidates": 23'), encoding="utf-8")
    with pytest.raises(ContractError, match="mergerscope rank"):
        verb.run(ranked, params, 1, 0)


def test_embeddings_of_another_model_are_refused(ranked, params):
    path = ranked.embeddings / "meta.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    meta["model"]["weights_sha256"] = "0" * 64
    path.write_text(json.dumps(meta), encoding="utf-8")
    with pytest.raises(ContractError, match="mergerscope embed"):
        verb.run(ranked, params, 1, 0)


def test_embeddings_of_another_number_of_views_are_refused(ranked, params):
    other = params.model_copy(update={"embed": params.embed.model_copy(update={"views": 1})})
    with pytest.raises(ContractError, match="made with 8 views"):
        verb.run(ranked, other, 1, 0)


def test_curves_without_a_line_are_refused(ranked):
    path = ranked.completeness_results / "curves.csv"
    path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    with pytest.raises(ContractError, match="no line"):
        read_curves(path)


def test_the_report_reads_what_the_verb_wrote(ranked):
    receipt = json.loads(ranked.champion.read_text(encoding="utf-8"))
    found = load_completeness(ranked, receipt, "density")
    every = json.loads((ranked.completeness_results / "metrics.json").read_text(encoding="utf-8"))["recovered"]["all"]
    sentence = found.sentence(noun_of("p_merger"))
    assert f"Of {MERGERS} injected" in sentence
    assert f"{round(100 * every['at']['24']['fraction'])}" in sentence


def test_the_report_says_what_to_run_and_refuses_what_is_stale(ranked):
    receipt = json.loads(ranked.champion.read_text(encoding="utf-8"))
    with pytest.raises(ContractError, match="mergerscope completeness"):
        load_completeness(ranked, receipt, "lda")
    with pytest.raises(ContractError, match="mergerscope completeness"):
        load_completeness(ranked, receipt | {"weights_sha256": "0" * 64}, "density")
    shutil.rmtree(ranked.completeness_results)
    with pytest.raises(MissingInputError, match=r"mergerscope completeness.*report\.completeness"):
        load_completeness(ranked, receipt, "density")

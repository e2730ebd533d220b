import subprocess

import pytest

from mergerscope.errors import MissingInputError
from mergerscope.learn.encoder import EncoderConfig, build_encoder, save_encoder
from mergerscope.paths import Paths
from mergerscope.stages import report
from mergerscope.tracking.registry import register
from mergerscope.tracking.runs import training_run
from mergerscope.tracking.store import initialise


@pytest.fixture
def registered(made, tmp_path, monkeypatch):
    """A project up to `rank`, with a champion in a store of its own."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CI", "true")  # no system metrics
    params = made.made_params(encoder={"width": 0.125, "embedding_dim": 8})
    paths = made.make_project(tmp_path / "project", params, galaxies=40, mergers=12)
    with training_run(paths, params) as run:
        config = EncoderConfig(18, 0.125, 8, "last", 3, made.SIDE, pairs_head=True)
        save_encoder(build_encoder(config, seed=1), paths.encoder_weights, paths.encoder_config)
    receipt = register(paths, params)
    receipt.save(paths.champion)
    meta = paths.embeddings / "meta.json"
    meta.write_text(meta.read_text().replace(made.WEIGHTS, receipt.weights_sha256))
    return paths, params, run.id


def test_report_writes_page_figures_and_card_and_logs_the_figures(registered):
    paths, params, run_id = registered
    paths.figures.mkdir(parents=True)
    (paths.figures / "of_an_earlier_run.png").write_bytes(b"old")
    report.run(paths, params)
    first = {path: path.read_bytes() for path in (paths.report, paths.model_card, *paths.figures.iterdir())}
    assert paths.figures / "of_an_earlier_run.png" not in first
    assert run_id.encode() not in b"".join(first.values())
    logged = {artifact.path for artifact in initialise(paths).list_artifacts(run_id, "figures")}
    assert logged == {f"figures/{path.name}" for path in paths.figures.iterdir()}
    report.run(paths, params)
    assert {path: path.read_bytes() for path in first} == first
    assert not list(paths.root.rglob("*.new"))


def test_a_commit_of_the_source_is_named_and_changes_nothing_else(registered):
    paths, params, _ = registered

    def git(*words):
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run(["git", *who, *words], cwd=paths.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def outcome():
        report.run(paths, params)
        return {path: path.read_bytes() for path in (paths.report, paths.model_card, *paths.figures.iterdir())}

    git("init", "-q")
    commits, found = [], []
    for name in ("params.yaml", "outcome.txt", "params.yaml"):
        (paths.root / name).write_text(f"{len(commits)}\n")
        git("add", name)
        git("commit", "-q", "-m", name)
        commits.append(git("rev-parse", "HEAD"))
        found.append(outcome())
    first, same, other = found
    assert commits[0].encode() in first[paths.report]
    assert same == first, "the outcome of a run, committed, is no other source"
    assert other == first | {paths.report: first[paths.report].replace(commits[0].encode(), commits[2].encode())}


def test_report_names_the_stage_that_is_missing(made, tmp_path):
    with pytest.raises(MissingInputError, match="mergerscope catalog"):
        report.run(Paths(tmp_path), made.made_params())

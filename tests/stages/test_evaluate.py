"""The evaluate stage on a small project, from shards to files and the champion's run."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.search import choose
from mergerscope.search.evaluation import DEPTHS
from mergerscope.stages import catalog, embed, evaluate, rank
from mergerscope.survey.catalog_file import read_catalog, write_catalog
from mergerscope.tracking.champion import champion_run
from mergerscope.tracking.store import initialise

ENCODERS = ["trained", "untrained", "rgb_pixels", "pca_pixels", "moco_references"]
INTERVAL = {"value", "low", "high"}
FILES = ["choice.json", "curves.csv", "metrics.json", "significance.csv"]


def quick(params: Params, ranker: str = "auto", **split: Any) -> Params:
    return params.model_copy(update={
        "evaluate": params.evaluate.model_copy(update={"baseline_epochs": 1, "bootstrap": 100, "splits": 2}),
        "train": params.train.model_copy(update={"device": "cpu", "monitor_images": 11}),
        "rank": params.rank.model_copy(update={"ranker": ranker, "folds": 2}),
        "split": params.split.model_copy(update=split),
    })


@pytest.fixture(scope="module")
def judged(made_once: Path, trained_params: Params, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project in which evaluate has run, with two references and one hidden merger; tests only read it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
            patch.delenv(name, raising=False)
        paths = Paths(tmp_path_factory.mktemp("judged") / "project")
        shutil.copytree(made_once / "registered", paths.root)
        embed.run(paths, trained_params)
        evaluate.run(paths, quick(trained_params))
    return paths


def metrics_of(paths: Paths) -> dict[str, Any]:
    return json.loads((paths.evaluate_results / "metrics.json").read_text())


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_encoder_is_judged_and_exactly_one_row_is_selected(judged):
    rows = metrics_of(judged)["rows"]
    assert list(dict.fromkeys(row["encoder"] for row in rows)) == ENCODERS
    for encoder in ENCODERS:
        assert any(row["ranker"] == "mean_cosine" for row in rows if row["encoder"] == encoder)
    assert len({(row["encoder"], row["ranker"]) for row in rows}) == len(rows)
    (selected,) = [row for row in rows if row["selected"]]
    choice = json.loads((judged.evaluate_results / "choice.json").read_text())
    assert (selected["encoder"], selected["ranker"]) == ("trained", choice["ranker"])
    assert [line["ranker"] for line in choice["table"] if line["chosen"]] == [choice["ranker"]]


def test_metrics_keep_their_contract(judged):
    tree = metrics_of(judged)
    assert set(tree) >= {"pool", "hidden", "chance", "splits", "rows", "significance"}
    assert tree["chance"] == pytest.approx(tree["hidden"] / tree["pool"], abs=1e-6)
    depths = {str(k) for k in DEPTHS if k <= tree["pool"]} | {str(tree["hidden"])}
    for row in tree["rows"]:
        assert set(row["average_precision"]) == set(row["auroc"]) == INTERVAL
        for name in ("precision_at", "recall_at", "enrichment_at", "ndcg_at"):
            assert set(row[name]) == depths
            assert all(set(one) == INTERVAL for one in row[name].values())


def test_curves_hold_every_row_and_chance(judged):
    tree, lines = metrics_of(judged), lines_of(judged.evaluate_results / "curves.csv")
    assert list(lines[0]) == list(evaluate.CURVE_COLUMNS)
    assert {(line["encoder"], line["ranker"]) for line in lines} == {(r["encoder"], r["ranker"]) for r in tree["rows"]}
    assert {line["selected"] for line in lines} == {"true", "false"}
    last = [line for line in lines if int(line["k"]) == tree["pool"]]
    assert {float(line["chance_recall"]) for line in last} == {1.0}
    assert all(float(line["recall_low"]) <= float(line["recall"]) <= float(line["recall_high"]) for line in lines)


def test_the_selected_row_is_tested_against_every_other_encoder(judged):
    lines = lines_of(judged.evaluate_results / "significance.csv")
    assert {line["encoder"] for line in lines} == set(ENCODERS) - {"trained"}
    assert {line["metric"] for line in lines} >= {"average_precision"}
    assert all(0 < float(line["permutation_p"]) <= 1 for line in lines)
    tree = metrics_of(judged)["significance"]
    assert len(tree["comparisons"]) == len(lines)
    assert tree["selected"]["encoder"] == "trained"


def test_figures_go_to_the_run_that_made_the_model(judged, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = champion_run(judged)
    client = initialise(judged)
    logged = client.get_run(run.id).data.metrics
    (selected,) = [row for row in metrics_of(judged)["rows"] if row["selected"]]
    assert logged["hidden_average_precision"] == selected["average_precision"]["value"]
    assert "hidden_average_precision_untrained" in logged
    tables = {Path(item.path).name for item in client.list_artifacts(run.id, "tables")}
    assert {f"evaluate_{name}" for name in FILES} <= tables


def test_scratch_is_cleared_and_nothing_else_is_written(judged):
    assert sorted(path.name for path in judged.evaluate_results.iterdir()) == FILES
    assert not (judged.scratch / "evaluate").exists()


def test_the_same_again_gives_the_same_bytes(judged, trained_params, tmp_path, monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(judged.root, tmp_path / "project")
    again = Paths(tmp_path / "project")
    evaluate.run(again, quick(trained_params))
    for name in FILES:
        assert (again.evaluate_results / name).read_bytes() == (judged.evaluate_results / name).read_bytes(), name


def test_labels_of_hidden_mergers_do_not_move_the_choice(judged, trained_params, tmp_path, monkeypatch):
    """Poison: the hidden merger loses its vote; nothing but the metrics may notice."""
    seen = []
    monkeypatch.setattr(choose, "choose_ranker", lambda *args, **more: seen.append((args[1:], more)) or stop())

    def stop():
        raise KeyboardInterrupt

    paths = Paths(tmp_path / "project")
    shutil.copytree(judged.root, paths.root)
    for poisoned in (False, True):
        if poisoned:
            table = read_catalog(paths.catalog).table
            hidden = [role == "hidden" for role in table["role"].to_pylist()]
            for name in ("vote", "p_merger"):
                values = [None if one else value for one, value in zip(hidden, table[name].to_pylist(), strict=True)]
                table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), [values])
            known = [value and not one for one, value in zip(hidden, table["known_merger"].to_pylist(), strict=True)]
            place = table.schema.get_field_index("known_merger")
            write_catalog(table.set_column(place, table.schema.field("known_merger"), [known]), paths.catalog)
        with pytest.raises(KeyboardInterrupt):
            evaluate.run(paths, quick(trained_params))
    (first, first_more), (second, second_more) = seen
    for one, two in zip([*first, *first_more.values()], [*second, *second_more.values()], strict=True):
        assert (one == two).all() if hasattr(one, "all") else one == two


def test_nothing_hidden_says_so_and_gives_nulls(registered, trained_params):
    params = quick(trained_params, ranker="lda", hidden_fraction=0.0)
    embed.run(registered, params)
    catalog.run(registered, params)
    evaluate.run(registered, params)
    tree = metrics_of(registered)
    assert (tree["hidden"], tree["chance"], tree["splits"]) == (0, 0.0, 1)
    assert [row["ranker"] for row in tree["rows"] if row["selected"]] == ["lda"]
    assert {row["average_precision"]["value"] for row in tree["rows"]} == {None}
    assert tree["significance"]["comparisons"] == []
    assert lines_of(registered.evaluate_results / "significance.csv") == []
    rank.run(registered, params)


def test_a_single_reference_trains_no_network_and_is_ranked_all_the_same(registered, trained_params):
    params = quick(trained_params)
    params = params.model_copy(update={"target": params.target.model_copy(update={"threshold": 0.5})})
    survey = registered.root / params.survey.root / "catalog.csv"
    survey.write_text(survey.read_text().replace("g00.png,0.9", "g00.png,0.1").replace("g01.png,0.9", "g01.png,0.1"))
    catalog.run(registered, params)
    embed.run(registered, params)
    evaluate.run(registered, params)
    rows = metrics_of(registered)["rows"]
    assert "moco_references" not in {row["encoder"] for row in rows}
    assert [row["ranker"] for row in rows if row["selected"]] == ["mean_cosine"]


def test_shards_of_another_survey_are_noticed(judged, trained_params, tmp_path, monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    paths = Paths(tmp_path / "project")
    shutil.copytree(judged.root, paths.root)
    ids = sorted(paths.embeddings.glob("*.ids.txt"))[-1]
    lines = ids.read_text().splitlines()
    for path in (ids, ids.with_suffix("").with_suffix(".npy"), ids.with_suffix("").with_suffix(".pairs.npy")):
        path.unlink(missing_ok=True)
    meta = json.loads((paths.embeddings / "meta.json").read_text())
    (paths.embeddings / "meta.json").write_text(json.dumps(meta | {"total": meta["total"] - len(lines)}))
    with pytest.raises(ContractError, match=r"and \S+ other ones"):
        evaluate.run(paths, quick(trained_params))


def test_a_missing_input_names_the_stage_that_writes_it(registered, trained_params):
    with pytest.raises(MissingInputError, match="mergerscope embed"):
        evaluate.run(registered, quick(trained_params))

"""The summary shows chance, the best of each baseline and the row that was selected."""

import io
import json
import re

import pytest
from rich.console import Console

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.params import Params, parse_params
from mergerscope.paths import Paths
from mergerscope.summary import print_summary, summary_table


def figure(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def row(encoder, ranker, value, selected=False):
    return {
        "encoder": encoder, "ranker": ranker, "selected": selected, "average_precision": figure(value),
        "recall_at": {"10": figure(value / 2), "100": figure(value)},
    }  # fmt: skip


METRICS = {
    "pool": 1000, "hidden": 40, "chance": 0.04,
    "rows": [
        row("moco_references", "lda", 0.11), row("moco_references", "mean_cosine", 0.22), row("untrained", "lda", 0.41),
        row("trained", "lda", 0.9), row("trained", "mean_cosine", 0.62, selected=True),
    ],
}  # fmt: skip


CATALOG = {"target": {"column": "Class8.6", "threshold": 0.5}, "roles": {"hidden": 40}, "galaxies": 1080}


def printed(table):
    console = Console(width=80, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_imported_vectors_are_named_by_their_origin():
    rows = [row("untrained", "lda", 0.41), row("zoobot", "lda", 0.62, selected=True)]
    assert "zoobot: selected" in printed(summary_table(METRICS | {"rows": rows}))


def test_the_table_has_chance_the_best_baselines_and_the_selected_row():
    text = printed(summary_table(METRICS))
    lines = {re.split("  +", line.strip())[0]: line for line in text.splitlines()}
    assert "0.04" in lines["chance"]
    assert "0.10" in lines["chance"], "recall at 100 of 1000 drawn at random"
    assert "0.22 [0.12, 0.32]" in lines["MoCo v2, references"]
    assert "0.41" in lines["untrained encoder"]
    assert "mean_cosine" in lines["trained: selected"]
    assert "0.62 [0.52, 0.72]" in lines["trained: selected"]
    assert "0.90" not in text, "only the row that was chosen without the hidden mergers counts"
    assert max(map(len, text.splitlines())) <= 80


def test_without_a_hidden_merger_nothing_is_said_to_be_known():
    none = {"value": None, "low": None, "high": None}
    row = {"encoder": "trained", "ranker": "lda", "selected": True, "average_precision": none,
           "recall_at": {"10": none}}  # fmt: skip
    text = printed(summary_table({"pool": 12, "hidden": 0, "chance": 0.0, "rows": [row]}))
    assert "0 hidden mergers among 12 galaxies" in text
    assert "recall at 10" in text
    assert "0.0" not in text


def test_where_the_report_is_stands_below(tmp_path, capsys):
    paths = Paths(tmp_path)
    paths.evaluate_results.mkdir(parents=True)
    (paths.evaluate_results / "metrics.json").write_text(json.dumps(METRICS), encoding="utf-8")
    paths.report.write_text("<html>", encoding="utf-8")
    print_summary(paths, Params())
    assert f"report: {paths.report}" in capsys.readouterr().out


def test_the_ranker_that_ordered_the_list_is_named(tmp_path, capsys):
    """Over all known mergers it may be another than the one that was judged."""
    paths = Paths(tmp_path)
    for file, content in (
        (paths.evaluate_results / "metrics.json", METRICS),
        (paths.rank_results / "choice.json", {"ranker": "density", "references": 75}),
        (paths.rank_results / "candidates.csv", []),
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content), encoding="utf-8")
    print_summary(paths, Params())
    assert "candidates.csv, in the order of density over all 75 known mergers" in capsys.readouterr().out


@pytest.mark.parametrize(("tree", "said"), [
    ({}, None),
    ({"rank": {"ranker": "mean_cosine"}}, None),
    ({"rank": {"ranker": "lda"}}, "the ranker was mean_cosine, and params.yaml asks for lda"),
    ({"target": {"threshold": 0.4}}, "those with Class8.6 above 0.5, and params.yaml asks for Class8.6 above 0.4"),
    ({"target": {"column": "merger"}}, "params.yaml asks for merger above 0.5"),
])  # fmt: skip
def test_settings_that_were_changed_since_are_told(tmp_path, capsys, tree, said):
    paths = Paths(tmp_path)
    for folder, content in (
        (paths.evaluate_results / "metrics.json", METRICS),
        (paths.catalog_report / "summary.json", CATALOG),
    ):
        folder.parent.mkdir(parents=True)
        folder.write_text(json.dumps(content), encoding="utf-8")
    print_summary(paths, parse_params({"target": {"column": "Class8.6"}} | tree))
    out = capsys.readouterr().out
    assert ("out of date" in out) == (said is not None)
    assert (said or "") in out


@pytest.mark.parametrize(("catalog", "meta", "said"), [
    ({}, {"model": {}}, None),
    ({"roles": {"hidden": 41}}, {"model": {}}, None),
    ({"roles": {"hidden": 0}}, {"model": {}}, "40 hidden mergers among 1000 galaxies, and the catalogue has 0 "),
    ({"galaxies": 60}, {"model": {}}, "and the catalogue has 40 among 60"),
    ({}, {"origin": {"name": "zoobot"}}, "of the embeddings 'trained', and those that are there are 'zoobot'"),
])  # fmt: skip
def test_another_catalogue_or_other_embeddings_are_told(tmp_path, capsys, catalog, meta, said):
    paths = Paths(tmp_path)
    for file, content in (
        (paths.evaluate_results / "metrics.json", METRICS),
        (paths.catalog_report / "summary.json", CATALOG | catalog),
        (paths.embeddings / "meta.json", meta),
    ):
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(content), encoding="utf-8")
    print_summary(paths, Params())
    out = capsys.readouterr().out
    assert ("out of date" in out) == (said is not None)
    assert (said or "") in out


def test_before_evaluate_the_verb_says_what_to_run(tmp_path):
    with pytest.raises(MissingInputError, match="mergerscope evaluate"):
        print_summary(Paths(tmp_path), Params())


@pytest.mark.parametrize("text", ["{}", "[", '{"rows": [], "pool": 3, "hidden": 1}'])
def test_broken_metrics_are_said_to_be_so(tmp_path, text):
    paths = Paths(tmp_path)
    paths.evaluate_results.mkdir(parents=True)
    (paths.evaluate_results / "metrics.json").write_text(text, encoding="utf-8")
    with pytest.raises(ContractError, match="evaluate"):
        print_summary(paths, Params())

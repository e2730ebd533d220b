"""The page of a survey that is ranked by vectors made elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mergerscope.report.card import model_card
from mergerscope.report.curves import curve_panel
from mergerscope.report.evaluation import Metric
from mergerscope.report.findings import noun_of, warnings_of
from mergerscope.report.identity import identity
from mergerscope.report.inputs import load_inputs
from mergerscope.report.style import panel_svg


@pytest.fixture(scope="module")
def imported(made, tmp_path_factory):
    params = made.made_params()
    paths = made.make_project(tmp_path_factory.mktemp("imported"), params)
    meta = paths.embeddings / "meta.json"
    tree = json.loads(meta.read_text())
    del tree["model"]
    meta.write_text(json.dumps(tree | {"origin": {"name": "zoobot-x", "digest": "abc"}}))
    for path in (paths.evaluate_results / "metrics.json", paths.evaluate_results / "curves.csv"):
        path.write_text(path.read_text().replace('"trained"', '"zoobot-x"').replace("\ntrained,", "\nzoobot-x,"))
    return load_inputs(paths, params)


def test_the_row_and_the_identity_name_the_origin(imported, build):
    page, _ = build(imported)
    assert "zoobot-x" in page
    assert "this encoder" not in page
    assert "imported: made by zoobot-x and not by this model" in page


def test_galaxies_without_a_vector_are_counted(imported):
    facts = dict(identity(imported, {})["Model"])
    assert "rank" not in facts["Embedding"]
    some = replace(imported, store=imported.store.subset(np.arange(3, imported.store.size)))
    some.store.origin = "zoobot-x"
    assert dict(identity(some, {})["Model"])["Embedding"].endswith("; 3 galaxies have none and no rank")


def test_the_curve_of_the_chosen_row_is_drawn_in_colour_and_named(imported):
    svg = panel_svg(curve_panel(imported.evaluation, "precision", noun_of("p_merger")))
    assert "var(--trained)" in svg
    assert "zoobot-x" in svg


def test_the_card_of_our_model_does_not_claim_figures_of_others(imported):
    card = model_card(imported)
    assert "**No figure here is of this model.**" in card
    assert "made by\nzoobot-x." in card
    assert f"into {imported.store.dim} numbers" not in card
    assert "| **zoobot-x** | whitened |" in card
    assert "this encoder" not in card


def test_a_poor_outcome_is_not_laid_to_our_training(imported):
    rows = [
        replace(row, average_precision=Metric(0.1)) if row.selected else row for row in imported.evaluation.rows
    ]
    told = warnings_of(replace(imported.evaluation, rows=rows), 50, noun_of("p_merger"))
    assert any(text.endswith("the vectors of zoobot-x gain nothing here.") for text in told)
    assert not any("training gained" in text for text in told)

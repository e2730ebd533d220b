"""The page of a survey that is ranked by vectors made elsewhere."""

from __future__ import annotations

import json

import pytest

from mergerscope.report.curves import curve_panel
from mergerscope.report.findings import noun_of
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


def test_the_curve_of_the_chosen_row_is_drawn_in_colour_and_named(imported):
    svg = panel_svg(curve_panel(imported.evaluation, "precision", noun_of("p_merger")))
    assert "var(--trained)" in svg
    assert "zoobot-x" in svg

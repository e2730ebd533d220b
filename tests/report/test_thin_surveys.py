"""The page of surveys with little in them: what cannot be shown is said, not left out in silence."""

import json
import shutil

import pytest

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.params import parse_params
from mergerscope.report.card import model_card
from mergerscope.report.inputs import load_inputs


@pytest.fixture
def project(made, tmp_path):
    """Make a project with changed parameters, and load it."""

    def project(galaxies=40, mergers=6, positions=True, **changes):
        params = made.made_params(**changes)
        return load_inputs(made.make_project(tmp_path / "thin", params, galaxies, mergers, positions), params)

    return project


def test_nothing_hidden(project, build):
    inputs = project(split={"hidden_fraction": 0.0})
    page, figures = build(inputs)
    assert inputs.evaluation.hidden == 0
    assert "nothing on this page measures how well the ranking works" in page
    assert "precision and recall are not defined" in page
    assert not (figures / "recall_at_k.png").exists()
    assert "Not measured" in model_card(inputs)


def test_nothing_hidden_with_rows_of_nulls(project, made, build):
    inputs = project(split={"hidden_fraction": 0.0})
    nothing = {"value": None, "low": None, "high": None}
    row = {"encoder": "trained", "ranker": "lda", "selected": True, "average_precision": nothing, "auroc": nothing}
    row |= {name: {"10": nothing} for name in ("precision_at", "recall_at", "enrichment_at", "ndcg_at")}
    path = inputs.paths.evaluate_results / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rows": [row], "chance": None}))
    page, _ = build(load_inputs(inputs.paths, inputs.params))
    assert "nothing on this page measures" in page


def test_one_reference(project, build):
    inputs = project(mergers=1, split={"hidden_fraction": 0.0})
    page, _ = build(inputs)
    assert "There is a single reference." in page
    assert "1 known merger" in page


def test_few_hidden(project, build):
    page, _ = build(project(mergers=8))
    assert "stand behind every figure here" in page or "stands behind every figure here" in page


def test_no_positions_no_viewer(project, build):
    page, _ = build(project(positions=False))
    assert "legacysurvey" not in page


def test_objective_without_pairs(project, build):
    inputs = project()
    samples = inputs.training.samples
    del samples["pairs_positive"], samples["pairs_negative"]
    page, _ = build(inputs)
    assert "Synthetic pairs" not in page
    assert "Views of the same galaxy" in page


def test_another_target_is_not_called_a_merger(made, tmp_path, build):
    params = made.made_params()
    paths = made.make_project(tmp_path / "ring", params, 40, 6)
    tree = params.model_dump(mode="json", by_alias=True) | {"target": {"column": "ring", "threshold": 0.5}}
    page, _ = build(load_inputs(paths, parse_params(tree)))
    assert "6 known targets" in page
    assert "hidden mergers" not in page


def test_missing_stage_is_named(project):
    inputs = project()
    shutil.rmtree(inputs.paths.evaluate_results)
    with pytest.raises(MissingInputError, match="mergerscope evaluate"):
        load_inputs(inputs.paths, inputs.params)


def test_embeddings_of_another_survey_are_refused(project):
    inputs = project()
    path = inputs.paths.embeddings / "shard-000000.ids.txt"
    path.write_text(path.read_text().replace("g00003", "h00003"))
    with pytest.raises(ContractError, match="not in the catalogue"):
        load_inputs(inputs.paths, inputs.params)


def test_embeddings_of_another_model_are_refused(project):
    inputs = project()
    inputs.paths.champion.write_text(json.dumps(inputs.receipt | {"weights_sha256": "ab" * 32}))
    with pytest.raises(ContractError, match="champion has abababababab"):
        load_inputs(inputs.paths, inputs.params)


def test_damaged_metrics_are_named(project):
    inputs = project()
    path = inputs.paths.evaluate_results / "metrics.json"
    path.write_text("{")
    with pytest.raises(ContractError, match="no valid JSON"):
        load_inputs(inputs.paths, inputs.params)
    path.write_text('{"pool": 3}')
    with pytest.raises(ContractError, match="lacks 'hidden'"):
        load_inputs(inputs.paths, inputs.params)

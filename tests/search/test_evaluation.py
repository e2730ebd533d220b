from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from mergerscope.params import EvaluateParams, RankParams, SplitParams
from mergerscope.search import metrics
from mergerscope.search.evaluation import Trial
from mergerscope.search.labels import Labels
from mergerscope.search.rankers import score
from mergerscope.search.store import EmbeddingStore
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.roles import assign_roles

EVALUATE = EvaluateParams(splits=3, bootstrap=150)


@pytest.fixture
def catalog(planted) -> Catalog:
    ids = np.array(planted.ids)
    known = np.arange(600) < 60
    vote = np.where(known, 0.8, 0.1)
    vote[400:] = np.nan
    role = np.array(assign_roles(planted.ids, known.tolist(), planted.ids, 1, 1 / 3))
    nowhere = pa.nulls(600, pa.float64())
    table = pa.table({
        "id": ids, "image": ids, "ra_deg": nowhere, "dec_deg": nowhere, "pixel_digest": ids, "vote": vote,
        "known_merger": known, "judged": np.isfinite(vote), "role": role,
    })  # fmt: skip
    return Catalog(table, ("p_merger",), {}, "table", None)


def trial_of(catalog: Catalog, evaluate: EvaluateParams = EVALUATE) -> Trial:
    return Trial.of(catalog, Labels.of(catalog, catalog.ids), SplitParams(seed=1), evaluate)


def silent(name: str) -> None:
    """Show no progress."""


def test_pool_hidden_and_chance_are_those_of_the_catalogues_own_split(catalog):
    trial = trial_of(catalog)
    hidden = len(catalog.rows("hidden"))
    assert (trial.pool, trial.hidden) == (hidden + 340, hidden)
    assert trial.chance == hidden / trial.pool
    assert trial.depths == tuple(sorted({10, 20, 50, 100, 200, hidden}))
    assert set(trial.depths) <= set(trial.curve)
    assert trial.curve[0] == 1
    assert trial.curve[-1] == trial.pool


def test_a_row_is_the_mean_over_splits_of_metrics_on_what_is_listed(planted, catalog):
    trial = trial_of(catalog)
    (row,) = trial.run("trained", planted.store, ["lda"], RankParams(), silent)
    values = []
    for split in trial.splits:
        scores = score("lda", planted.store, split.references, RankParams())[split.listed]
        recall = metrics.recall_at(scores, split.positive, 50)
        values.append((metrics.average_precision(scores, split.positive), recall))
    wanted = np.mean(values, axis=0)
    got = row.metrics["average_precision"], row.metrics["recall_at_50"]
    assert [one.value for one in got] == pytest.approx(wanted)
    for one in got:
        assert one.low < one.value < one.high


def test_references_and_unknown_galaxies_do_not_enter_the_metrics(planted, catalog):
    trial = trial_of(catalog, EvaluateParams(splits=1, bootstrap=100))
    (row,) = trial.run("trained", planted.store, ["pairs_head"], RankParams(), silent)
    logits = planted.logits.copy()
    logits[catalog.rows("reference")] = 100
    logits[400:] = -100
    changed = EmbeddingStore.from_array(planted.ids, planted.values, logits)
    (again,) = trial.run("trained", changed, ["pairs_head"], RankParams(), silent)
    assert again.metrics == row.metrics


def test_a_better_row_is_significantly_better_and_an_equal_one_is_not(planted, catalog):
    trial = trial_of(catalog)
    noise = np.random.default_rng(0).standard_normal((600, 24)).astype(np.float32)
    (good,) = trial.run("trained", planted.store, ["lda"], RankParams(), silent)
    (bad,) = trial.run("untrained", EmbeddingStore.from_array(planted.ids, noise), ["lda"], RankParams(), silent)
    found = {(one.encoder, one.metric): one for one in trial.compare(good, [bad, good], seed=1)}
    better = found["untrained", "average_precision"]
    assert better.difference > 0.2
    assert better.permutation_p < 0.01
    assert better.welch.p < 0.01
    same = found["trained", "average_precision"]
    assert (same.difference, same.permutation_p, same.welch.p) == (0.0, 1.0, 1.0)
    assert {metric for _, metric in found} == {"average_precision", *(f"precision_at_{k}" for k in trial.depths)}


def test_without_a_hidden_merger_everything_stays_undefined(planted, catalog):
    role = np.where(catalog.role == "hidden", "reference", catalog.role)
    trial = trial_of(catalog.with_columns(role=role))
    assert (trial.pool, trial.hidden, len(trial.splits)) == (340, 0, 1)
    (row,) = trial.run("trained", planted.store, ["lda"], RankParams(), silent)
    assert math.isnan(row.metrics["average_precision"].value)
    assert math.isnan(row.metrics["recall_at_50"].high)


def test_without_any_judged_galaxy_the_pool_is_empty(planted, catalog):
    nobody = np.full(600, np.nan)
    bare = catalog.with_columns(vote=nobody, judged=np.zeros(600, bool), known_merger=np.arange(600) < 1,
                   role=np.where(np.arange(600) < 1, "reference", "pool"))  # fmt: skip
    trial = trial_of(bare)
    assert (trial.pool, trial.hidden) == (0, 0)
    assert math.isnan(trial.chance)
    (row,) = trial.run("trained", planted.store, ["mean_cosine"], RankParams(), silent)
    assert math.isnan(row.metrics["auroc"].value)

"""Vectors made elsewhere through the stages that work on embeddings."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mergerscope.errors import ContractError
from mergerscope.importing.request import Request
from mergerscope.importing.run import run as import_embeddings
from mergerscope.query.request import Request as Query
from mergerscope.query.run import run as search
from mergerscope.search.store import EmbeddingStore
from mergerscope.stages import embed, evaluate, rank


@pytest.fixture
def imported(registered, trained_params, tmp_path):
    """Ten of the eleven galaxies have a vector, in which the first three, the mergers, lie apart."""
    ids = [f"g{number:02d}" for number in range(10)]
    values = np.random.default_rng(0).normal(size=(10, 6)) + 4 * (np.arange(10) < 3)[:, None]
    path = tmp_path / "vectors.parquet"
    pq.write_table(pa.table({"id": ids, "vector": pa.array(list(values), pa.list_(pa.float64()))}), path)
    import_embeddings(registered, trained_params, Request(path, name="zoobot"))
    digest = json.loads((registered.imported / "meta.json").read_text())["origin"]["digest"]
    return registered, trained_params.model_copy(update={
        "embed": trained_params.embed.model_copy(update={"source": "imported", "imported": digest}),
        "evaluate": trained_params.evaluate.model_copy(update={"baseline_epochs": 1, "bootstrap": 100, "splits": 2}),
        "train": trained_params.train.model_copy(update={"device": "cpu", "monitor_images": 11}),
        "rank": trained_params.rank.model_copy(update={"folds": 2}),
    })


def test_rank_evaluate_and_search_work_on_them(imported, capsys):
    paths, params = imported
    embed.run(paths, params)
    store = EmbeddingStore.open(paths.embeddings)
    assert (store.origin, store.size, store.dim) == ("zoobot", 10, 6)
    evaluate.run(paths, params)
    tree = json.loads((paths.evaluate_results / "metrics.json").read_text())
    encoders = list(dict.fromkeys(row["encoder"] for row in tree["rows"]))
    assert encoders == ["zoobot", "untrained", "rgb_pixels", "pca_pixels", "moco_references"]
    (selected,) = [row for row in tree["rows"] if row["selected"]]
    assert selected["encoder"] == "zoobot"
    assert {row["ranker"] for row in tree["rows"]}.isdisjoint({"pairs_head", "blend"})
    assert {line["encoder"] for line in tree["significance"]["comparisons"]} == set(encoders[1:])
    rank.run(paths, params)
    listed = pq.read_table(paths.rank_results / "candidates.parquet")["id"].to_pylist()
    assert sorted(listed) == [f"g{number:02d}" for number in range(3, 10)]
    search(paths, params, Query(ids=("g00",), top=2))
    found = pq.read_table(paths.search_results / "similar.parquet")["id"].to_pylist()
    assert sorted(found) == ["g01", "g02"]


def test_other_vectors_than_the_settings_name_are_refused(imported):
    paths, params = imported
    wrong = params.model_copy(update={"embed": params.embed.model_copy(update={"imported": "0" * 16})})
    with pytest.raises(ContractError, match="asks for the vectors '0000000000000000'"):
        embed.run(paths, wrong)


def test_rank_refuses_vectors_that_the_settings_do_not_ask_for(imported, trained_params):
    """By hand, without `mergerscope embed` in between, as the graph would run it."""
    paths, params = imported
    embed.run(paths, params)
    digest = params.embed.imported
    with pytest.raises(ContractError, match=f"were imported \\(zoobot\\).* `embed.imported: {digest}`"):
        rank.run(paths, trained_params)
    wrong = params.model_copy(update={"embed": params.embed.model_copy(update={"imported": "0" * 16})})
    with pytest.raises(ContractError, match=f"asks for the vectors '0000000000000000', and .* holds '{digest}'"):
        rank.run(paths, wrong)
    embed.run(paths, trained_params)
    with pytest.raises(ContractError, match="holds the vectors of the model, and `embed"):
        rank.run(paths, params)
    assert not paths.rank_results.exists()


def test_back_to_the_model(imported, trained_params):
    paths, params = imported
    embed.run(paths, params)
    embed.run(paths, trained_params)
    store = EmbeddingStore.open(paths.embeddings)
    assert (store.origin, store.size) == (None, 11)
    assert not (paths.embeddings / "missing.csv").exists()

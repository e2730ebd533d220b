"""The rank stage on a small project."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.search.kept import KeptSpans
from mergerscope.search.rankers import score
from mergerscope.search.store import EmbeddingStore
from mergerscope.stages import catalog, embed, rank, shard
from mergerscope.survey.catalog_file import Catalog, read_catalog
from mergerscope.tracking.champion import champion_run

NEAREST = [f"nearest_reference_{n}" for n in (1, 2, 3)]
SIMILARITY = [f"similarity_{n}" for n in (1, 2, 3)]
COLUMNS = ["rank", "id", "ra_deg", "dec_deg", "score", *NEAREST, *SIMILARITY, "p_merger",
           "duplicate_of", "legacy_viewer", "sdss"]  # fmt: skip


def quick(params: Params, ranker: str = "auto", top: int = 4) -> Params:
    return params.model_copy(update={"rank": params.rank.model_copy(update={"ranker": ranker, "folds": 2, "top": top})})


@pytest.fixture
def embedded(registered: Paths, trained_params: Params) -> Paths:
    embed.run(registered, trained_params)
    return registered


def read(paths: Paths) -> list[dict[str, object]]:
    return pq.read_table(paths.rank_results / "candidates.parquet").to_pylist()


def test_every_galaxy_that_is_no_reference_is_listed_best_first(embedded, trained_params):
    rank.run(embedded, quick(trained_params, ranker="lda"))
    table = pq.read_table(embedded.rank_results / "candidates.parquet")
    assert table.column_names == COLUMNS
    rows, known = table.to_pylist(), read_catalog(embedded.catalog)
    assert {row["id"] for row in rows} == set(known.ids[~known.known_merger])
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    store = EmbeddingStore.open(embedded.embeddings)
    scores = score("lda", store, store.index_of(known.ids[known.known_merger]), trained_params.rank)
    wanted = scores[store.index_of([row["id"] for row in rows])]
    assert [row["score"] for row in rows] == wanted.tolist()
    assert (np.diff(wanted) <= 0).all()
    votes = dict(zip(known.ids, known.vote, strict=True))
    assert [row["p_merger"] for row in rows] == [votes[row["id"]] for row in rows]


def test_a_twin_of_a_known_merger_is_left_out_and_counted(registered, trained_params):
    """g05 was voted down, and has the pixels of the known merger g00."""
    images = registered.root / trained_params.survey.root / "images"
    (images / "g05.png").write_bytes((images / "g00.png").read_bytes())
    for stage in (catalog, shard, embed):
        stage.run(registered, trained_params)
    rank.run(registered, quick(trained_params, ranker="density"))
    rows = read(registered)
    assert {row["id"] for row in rows} == {f"g{number:02d}" for number in (3, 4, 6, 7, 8, 9, 10)}
    tree = json.loads((registered.rank_results / "metrics.json").read_text())
    assert (tree["references"], tree["twins_of_references"], tree["candidates"]) == (3, 1, 7)
    store = EmbeddingStore.open(registered.embeddings)
    wanted = score("density", store, [0, 1, 2], trained_params.rank, twins=[5])
    assert [row["score"] for row in rows] == wanted[store.index_of([row["id"] for row in rows])].tolist()


def test_known_mergers_of_equal_pixels_choose_no_ranker(registered, trained_params):
    """One picture under three ids cannot be held out from itself."""
    images = registered.root / trained_params.survey.root / "images"
    for name in ("g01.png", "g02.png"):
        (images / name).write_bytes((images / "g00.png").read_bytes())
    for stage in (catalog, shard, embed):
        stage.run(registered, trained_params)
    rank.run(registered, quick(trained_params))
    choice = json.loads((registered.rank_results / "choice.json").read_text())
    assert choice["ranker"] == "mean_cosine"
    assert {line["folds"] for line in choice["table"]} == {0}


def test_each_candidate_names_its_nearest_references(embedded, trained_params):
    rank.run(embedded, quick(trained_params))
    known = {"g00", "g01", "g02"}
    for row in read(embedded):
        assert {row[name] for name in NEAREST} == known
        similarity = [row[name] for name in SIMILARITY]
        assert similarity == sorted(similarity, reverse=True)
        assert -1 <= similarity[2] <= similarity[0] <= 1


def test_the_csv_says_the_same(embedded, trained_params):
    rank.run(embedded, quick(trained_params))
    with (embedded.rank_results / "candidates.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    rows = read(embedded)
    assert list(lines[0]) == COLUMNS
    assert [line["id"] for line in lines] == [row["id"] for row in rows]
    for line, row in zip(lines, rows, strict=True):
        assert float(line["score"]) == pytest.approx(row["score"], rel=1e-6)
        assert line["ra_deg"] == line["legacy_viewer"] == line["sdss"] == ""


def test_choice_and_metrics(embedded, trained_params):
    rank.run(embedded, quick(trained_params))
    choice = json.loads((embedded.rank_results / "choice.json").read_text())
    tree = json.loads((embedded.rank_results / "metrics.json").read_text())
    assert choice["references"] == tree["references"] == 3
    assert choice["candidates"] == tree["candidates"] == 8
    (line,) = [line for line in choice["table"] if line["chosen"]]
    assert line["ranker"] == choice["ranker"] == tree["ranker"]
    assert tree["validation"]["average_precision"] == line["average_precision"]


def test_the_same_again_gives_the_same_bytes(embedded, trained_params):
    contents = []
    for _ in range(2):
        rank.run(embedded, quick(trained_params))
        contents.append({path.name: path.read_bytes() for path in embedded.rank_results.iterdir()})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {
        "candidates.csv", "candidates.parquet", "candidates.fits", "candidates.vot", "top.vot", "top.reg",
        "choice.json", "metrics.json",
    }  # fmt: skip


def test_a_ranking_that_ended_early_goes_on_with_its_scores(embedded, trained_params, monkeypatch):
    params = quick(trained_params, ranker="whitened")
    rank.run(embedded, params)
    wanted = {path.name: path.read_bytes() for path in embedded.rank_results.iterdir()}

    def interrupted(*_args, **_more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rank, "write_candidates", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rank.run(embedded, params)
    place = embedded.scratch / "rank"
    assert sorted(path.name for path in place.glob("*/*")) == ["moments-11.npz", "pass-1.scores"]

    def scored_again(_self, start, _scores):
        raise AssertionError(f"the span from row {start} on is scored again")

    monkeypatch.setattr(KeptSpans, "keep", scored_again)
    rank.run(embedded, params)
    assert {path.name: path.read_bytes() for path in embedded.rank_results.iterdir()} == wanted
    assert list(place.iterdir()) == []


def test_equal_galaxies_are_in_the_order_of_their_ids(embedded, trained_params):
    for path in embedded.embeddings.glob("shard-*.npy"):
        if not path.name.endswith(".pairs.npy"):
            np.save(path, np.ones_like(np.load(path)))
    rank.run(embedded, quick(trained_params, ranker="mean_cosine"))
    assert [row["id"] for row in read(embedded)] == [f"g{number:02d}" for number in range(3, 11)]


def test_the_top_goes_to_the_run_that_made_the_model(embedded, trained_params):
    rank.run(embedded, quick(trained_params, top=4))
    (table,) = (embedded.root / "mlartifacts").rglob(f"{champion_run(embedded).id}/**/*shortlist.csv")
    with table.open(newline="") as file:
        assert [line["id"] for line in csv.DictReader(file)] == [row["id"] for row in read(embedded)[:4]]


def test_a_missing_input_names_the_stage_that_writes_it(registered, trained_params):
    with pytest.raises(MissingInputError, match="mergerscope embed"):
        rank.run(registered, quick(trained_params))


def test_embeddings_of_another_model_are_refused(embedded, trained_params):
    meta = embedded.embeddings / "meta.json"
    meta.write_text(meta.read_text().replace(json.loads(meta.read_text())["model"]["weights_sha256"], "f" * 64))
    with pytest.raises(ContractError, match=r"made by the weights f{12}, and the champion has \w{12}. Run"):
        rank.run(embedded, quick(trained_params))
    assert not embedded.rank_results.exists()


def test_embeddings_of_other_views_are_refused(embedded, trained_params):
    one = trained_params.model_copy(update={"embed": trained_params.embed.model_copy(update={"views": 1})})
    with pytest.raises(ContractError, match="made with 8 views"):
        rank.run(embedded, quick(one))


def test_no_text_of_the_whole_survey_is_made(embedded, trained_params, monkeypatch):
    """Of millions of galaxies these columns would be the largest thing in memory."""

    def never(self):
        raise AssertionError("a column of texts is made")

    monkeypatch.setattr(EmbeddingStore, "ids", property(never))
    for name in ("ids", "image", "pixel_digest", "role"):
        monkeypatch.setattr(Catalog, name, property(never))
    rank.run(embedded, quick(trained_params))
    assert len(read(embedded)) == 8

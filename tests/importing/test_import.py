from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mergerscope.errors import ContractError, MissingInputError, TooManyRefusedError
from mergerscope.importing import batches
from mergerscope.importing.request import Request
from mergerscope.importing.run import run
from mergerscope.search.imported import take_imported
from mergerscope.search.store import EmbeddingStore

IDS = [f"g{number:05d}" for number in range(30)]
VALUES = np.random.default_rng(0).normal(size=(30, 9)).astype(np.float32)


def table(ids=IDS, values=VALUES, **more):
    vectors = pa.array([None if row is None else [float(x) for x in row] for row in values], pa.list_(pa.float32()))
    return pa.table({"id": ids, "vector": vectors, **more})


def take(packed, params, what, tmp_path, **asked):
    path = tmp_path / "zoobot.parquet"
    pq.write_table(what, path, row_group_size=11)
    run(packed, params, Request(path, **{"name": "zoobot", **asked}))
    store = EmbeddingStore.open(packed.imported)
    return store, json.loads((packed.imported / "meta.json").read_text())


def column(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("rows", [1, 4, 8192])
@pytest.mark.parametrize("form", ["lists", "fixed", "columns"])
def test_vectors_come_to_the_rows_of_their_galaxies(packed, params, tmp_path, monkeypatch, rows, form):
    monkeypatch.setattr(batches, "BATCH_ROWS", rows)
    order = np.random.default_rng(1).permutation(30)
    ids = [IDS[row] for row in order]
    if form == "columns":
        what = pa.table({"ra": np.zeros(30), "id": ids, **{f"f{n}": VALUES[order, n] for n in range(9)}})
    elif form == "fixed":
        flat = pa.FixedSizeListArray.from_arrays(pa.array(VALUES[order].ravel()), 9)
        what = pa.table({"id": ids, "vector": flat})
    else:
        what = table(ids, VALUES[order])
    store, meta = take(packed, params, what, tmp_path)
    assert store.ids.tolist() == IDS
    scale = meta["origin"]["scale"]
    assert np.log2(scale) == round(np.log2(scale))
    np.testing.assert_allclose(store.rows(range(30)) / scale, VALUES, rtol=1e-3, atol=1e-4)
    assert (store.origin, store.dim, store.pairs_logit, meta["missing"]) == ("zoobot", 9, None, 0)


@pytest.mark.parametrize("factor", [1e-30, 1e-5, 1.0, 1e8, 1e30])
def test_numbers_of_any_size_keep_their_digits(packed, params, tmp_path, factor):
    values = (VALUES * factor).astype(np.float32)
    store, meta = take(packed, params, table(values=values), tmp_path)
    back = store.rows(range(30)).astype(np.float64) / meta["origin"]["scale"]
    np.testing.assert_allclose(back, values, rtol=1e-3, atol=float(np.abs(values).max()) * 1e-6)


def test_galaxies_without_a_vector_are_listed_and_counted(packed, params, tmp_path, capsys):
    kept = [row for row in range(30) if not 6 < row < 15]
    store, meta = take(packed, params, table([IDS[row] for row in kept], VALUES[kept]), tmp_path)
    assert store.ids.tolist() == [IDS[row] for row in kept]
    assert [line["id"] for line in column(packed.imported / "missing.csv")] == IDS[7:15]
    assert meta["missing"] == 8
    assert "8 galaxies of the survey without a vector, the first g00007, will be" in capsys.readouterr().err


def test_bad_rows_are_refused_one_by_one(packed, params, tmp_path, capsys):
    ids = [*IDS, "stranger", None, "g00003"]
    values = [*VALUES, VALUES[0], VALUES[0], VALUES[0]]
    values[5] = np.where(np.arange(9) == 2, np.nan, VALUES[5])
    values[6] = VALUES[6][:4]
    values[7] = None
    loose = params.model_copy(update={"shard": params.shard.model_copy(update={"max_refused": 0.5})})
    store, meta = take(packed, loose, table(ids, values), tmp_path)
    refused = column(packed.imported / "refused.csv")
    assert {(line["id"], line["reason"]) for line in refused} == {
        ("g00005", "not-finite"), ("g00006", "vector-length"), ("g00007", "vector-length"),
        ("stranger", "unknown-id"), ("", "empty-id"), ("g00003", "duplicate-id"),
    }  # fmt: skip
    assert {line["source"] for line in refused if line["id"] == "g00005"} == {"zoobot.parquet:6"}
    gone = {"g00003", "g00005", "g00006", "g00007"}
    assert store.ids.tolist() == [name for name in IDS if name not in gone]
    assert meta["missing"] == 4
    assert "6 rows cannot be used" in capsys.readouterr().err


def test_too_many_bad_rows_stop_it_and_leave_what_was_there(packed, params, tmp_path):
    take(packed, params, table(), tmp_path)
    before = (packed.imported / "meta.json").read_bytes()
    with pytest.raises(TooManyRefusedError, match=r"8 x unknown-id, first zoobot\.parquet:1"):
        take(packed, params, table([f"x{n}" for n in range(8)] + IDS[8:]), tmp_path)
    assert (packed.imported / "meta.json").read_bytes() == before


def test_a_larger_file_is_taken_as_a_subset_when_that_is_said(packed, params, tmp_path, capsys):
    ids = [f"other{n}" for n in range(100)] + IDS
    store, _ = take(packed, params, table(ids, [*np.ones((100, 9)), *VALUES]), tmp_path, subset=True)
    assert store.size == 30
    assert "100 rows are of galaxies that the survey has not" in capsys.readouterr().err


@pytest.mark.parametrize(("what", "asked", "error", "message"), [
    (table([f"x{n}" for n in range(30)]), {"subset": True}, ContractError, "no vector of a galaxy of the survey"),
    (table(), {"name": "untrained"}, ContractError, "--name 'untrained'"),
    (table(), {"name": "a b"}, ContractError, "--name 'a b'"),
    (table(values=[[]] * 30), {}, TooManyRefusedError, "vector-length"),
    (table().slice(0, 0), {}, ContractError, "0 rows"),
])  # fmt: skip
def test_what_cannot_be_used_is_an_error(packed, params, tmp_path, what, asked, error, message):
    with pytest.raises(error, match=message):
        take(packed, params, what, tmp_path, **asked)
    assert not packed.imported.exists()


def test_whole_numbers_as_ids(packed, params, tmp_path):
    with pytest.raises(TooManyRefusedError, match="'17' is no galaxy"):
        take(packed, params, table(list(range(17, 47))), tmp_path)


def test_a_file_that_is_no_parquet(packed, params, tmp_path):
    path = tmp_path / "vectors.parquet"
    path.write_text("id,vector\n")
    with pytest.raises(ContractError, match="cannot be read as Parquet"):
        run(packed, params, Request(path))
    pq.write_table(table(), path)
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(ContractError, match="cannot be read as Parquet"):
        run(packed, params, Request(path))


def test_equal_vectors_have_equal_digests_and_others_have_others(packed, params, tmp_path):
    _, first = take(packed, params, table(), tmp_path)
    _, again = take(packed, params, table(IDS[::-1], VALUES[::-1]), tmp_path)
    _, other = take(packed, params, table(values=VALUES + 1), tmp_path)
    _, renamed = take(packed, params, table(), tmp_path, name="astroclip")
    assert first["origin"]["digest"] == again["origin"]["digest"]
    assert len({one["origin"]["digest"] for one in (first, other, renamed)}) == 3


def test_ids_as_categories(packed, params, tmp_path):
    store, _ = take(packed, params, table(pa.array(IDS).dictionary_encode()), tmp_path)
    assert store.ids.tolist() == IDS


def test_a_number_that_single_precision_cannot_hold_is_refused(packed, params, tmp_path):
    values = VALUES.astype(np.float64)
    values[4, 2] = 1e300
    vectors = pa.array(values.tolist(), pa.list_(pa.float64()))
    store, _ = take(packed, params, pa.table({"id": IDS, "vector": vectors}), tmp_path)
    assert store.ids.tolist() == [name for name in IDS if name != "g00004"]
    assert [line["reason"] for line in column(packed.imported / "refused.csv")] == ["not-finite"]


def test_a_null_among_lists_of_fixed_size_is_told(packed, params, tmp_path):
    vectors = pa.array([None, *VALUES[1:].tolist()], pa.list_(pa.float32(), 9))
    with pytest.raises(ContractError, match="no row may be null"):
        take(packed, params, pa.table({"id": IDS, "vector": vectors}), tmp_path)


def test_memory_holds_a_batch_and_not_the_file(packed, params, tmp_path, monkeypatch):
    sizes = []
    direct = batches.Batch

    def counted(first, ids, vectors, lengths):
        sizes.append(len(ids))
        return direct(first, ids, vectors, lengths)

    monkeypatch.setattr(batches, "BATCH_ROWS", 5)
    monkeypatch.setattr(batches, "Batch", counted)
    take(packed, params, table(), tmp_path)
    assert max(sizes) <= 5
    assert sum(sizes) == 60, "two passes"


def test_what_was_imported_is_taken_only_as_asked_for(packed, params, tmp_path):
    with pytest.raises(MissingInputError, match="mergerscope import-embeddings FILE"):
        take_imported(packed.imported, "", IDS, tmp_path / "work")
    _, meta = take(packed, params, table(), tmp_path)
    digest = meta["origin"]["digest"]
    with pytest.raises(ContractError, match=r"asks for the vectors 'abc', and .* holds '"):
        take_imported(packed.imported, "abc", IDS, tmp_path / "work")
    with pytest.raises(ContractError, match="1 galaxies that are not in the shards, the first is g00029"):
        take_imported(packed.imported, digest, IDS[:-1], tmp_path / "work")
    take_imported(packed.imported, digest, IDS, tmp_path / "work")
    store = EmbeddingStore.open(tmp_path / "work")
    np.testing.assert_array_equal(store.rows(range(30)), EmbeddingStore.open(packed.imported).rows(range(30)))
    assert store.origin == "zoobot"


def test_vectors_that_are_replaced_are_named(packed, params, tmp_path, capsys):
    _, meta = take(packed, params, table(), tmp_path)
    assert "replaced" not in capsys.readouterr().err
    take(packed, params, table(values=VALUES + 1), tmp_path)
    assert f"zoobot ({meta['origin']['digest']}), which was there, is replaced" in capsys.readouterr().err

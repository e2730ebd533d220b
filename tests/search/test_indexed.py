from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from mergerscope.errors import ContractError
from mergerscope.search.alike import Queries, most_alike
from mergerscope.search.index import KINDS, Index
from mergerscope.search.indexed import TARGET, exact_nearest, open_index
from mergerscope.search.moments import pool_moments
from mergerscope.search.similarity import affine, unit_rows
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write_store import StoreWriter

ROWS, DIM = 4000, 24


def write(folder, seed):
    """Galaxies around sixty centres, as a learnt representation has them."""
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(60, DIM))[draw.integers(60, size=ROWS)] + 0.5 * draw.normal(size=(ROWS, DIM))
    writer = StoreWriter(folder)
    for start in range(0, ROWS, 1500):
        part = values[start : start + 1500]
        writer.add([f"g{row:05d}" for row in range(start, start + len(part))], part)
    writer.close()


@pytest.fixture
def embeddings(tmp_path):
    write(tmp_path / "embeddings", 0)
    return tmp_path / "embeddings"


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_finds_what_it_says_it_finds(embeddings, tmp_path, kind, capsys):
    store = EmbeddingStore.open(embeddings)
    found = open_index(store, embeddings, tmp_path / "index", kind)
    assert found.index.count == ROWS
    assert f"index {kind}, built in" in capsys.readouterr().err
    # an independent measure, on other galaxies than the ones that were drawn for it
    moments = pool_moments(store)
    units = unit_rows(affine(moments, moments.whitening)(torch.from_numpy(store.rows(np.arange(7, ROWS, 40)))))
    whole = unit_rows(affine(moments, moments.whitening)(torch.from_numpy(store.rows(np.arange(ROWS)))))
    exact = torch.argsort(units @ whole.T, dim=1, descending=True, stable=True)[:, :100].numpy()
    given = found.index.search(units.numpy(), 400, found.effort)
    recall = np.mean([np.isin(a, b).mean() for a, b in zip(exact, given, strict=True)])
    assert found.recall >= TARGET - 0.05
    assert recall == pytest.approx(found.recall, abs=0.05)
    np.testing.assert_array_equal(np.sort(exact_nearest(store, units, 100)), np.sort(exact))


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_by_the_index_scores_exactly(embeddings, tmp_path, kind):
    store = EmbeddingStore.open(embeddings)
    found = open_index(store, embeddings, tmp_path / "index", kind)
    queries = Queries.of(pool_moments(store), store.rows([5, 600]), [0, 0])
    exact = most_alike(store, queries, ROWS)
    near = found.most_alike(store, queries, 20, leave_out=[5, 600])
    score = dict(zip(exact.rows.tolist(), exact.similarity.tolist(), strict=True))
    assert not {5, 600} & set(near.rows.tolist())
    assert len(near.rows) == 20
    np.testing.assert_allclose(near.similarity, [score[row] for row in near.rows.tolist()], atol=1e-5)
    assert len(set(near.rows.tolist()) & set(exact.rows[:22].tolist())) >= 15


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1500, ROWS])
def test_as_many_are_found_as_are_asked_for(embeddings, tmp_path, kind, count, capsys):
    store = EmbeddingStore.open(embeddings)
    found = open_index(store, embeddings, tmp_path / "index", kind)
    assert "a smaller one" not in capsys.readouterr().err
    queries = Queries.of(pool_moments(store), store.rows([5, 600]), [0, 1])
    near = found.most_alike(store, queries, count, leave_out=[5, 600])
    exact = most_alike(store, queries, count, leave_out=[5, 600])
    assert len(near.rows) == len(exact.rows) == min(count, ROWS - 2)
    assert np.isin(exact.rows, near.rows).mean() > 0.9
    assert f"of {count} it may find a smaller one" in capsys.readouterr().err


def test_a_built_index_is_used_again_without_a_pass_over_the_embeddings(embeddings, tmp_path, monkeypatch):
    first = open_index(EmbeddingStore.open(embeddings), embeddings, tmp_path / "index", "ivf")
    store = EmbeddingStore.open(embeddings)

    def no_reading(*args):
        raise AssertionError("the embeddings were read")

    monkeypatch.setattr(EmbeddingStore, "read", no_reading)
    monkeypatch.setattr("mergerscope.search.indexed._digest", no_reading)
    again = open_index(store, embeddings, tmp_path / "index", "ivf")
    assert (again.effort, again.recall, again.nearest) == (first.effort, first.recall, first.nearest)
    assert pool_moments(store).count == ROWS


def test_files_that_were_only_touched_need_no_new_index(embeddings, tmp_path, capsys):
    open_index(EmbeddingStore.open(embeddings), embeddings, tmp_path / "index", "ivf")
    for path in embeddings.iterdir():
        os.utime(path, ns=(1, 1))
    for _ in range(2):
        open_index(EmbeddingStore.open(embeddings), embeddings, tmp_path / "index", "ivf")
    said = capsys.readouterr().err
    assert said.count("built in") == 1
    assert said.count("of an earlier search") == 2


def test_a_stale_index_is_never_used(embeddings, tmp_path, capsys):
    open_index(EmbeddingStore.open(embeddings), embeddings, tmp_path / "index", "ivf")
    file = embeddings / "shard-000001.npy"
    before = file.stat()
    values = np.load(file)
    values[3] = -values[3]
    np.save(file, values)
    # the same size and the same time of change
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    store = EmbeddingStore.open(embeddings)
    found = open_index(store, embeddings, tmp_path / "index", "ivf")
    assert capsys.readouterr().err.count("built in") == 2
    queries = Queries.of(pool_moments(store), store.rows([1503]), [0])
    assert found.most_alike(store, queries, 1).rows.tolist() == [1503]


@pytest.mark.parametrize("name", ["index.json", "index.faiss", "moments.npz", "no index.faiss"])
def test_an_index_that_was_not_finished_is_built_anew(embeddings, tmp_path, name, capsys):
    open_index(EmbeddingStore.open(embeddings), embeddings, tmp_path / "index", "ivf")
    path = tmp_path / "index" / "ivf" / name.removeprefix("no ")
    if name != "index.faiss":
        if name == "index.json":
            path.write_text(path.read_text()[:20])
        else:
            path.unlink()
        open_index(EmbeddingStore.open(embeddings), embeddings, tmp_path / "index", "ivf")
        assert capsys.readouterr().err.count("built in") == 2
    else:
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(ContractError, match=r"index\.faiss is no index .* Delete it"):
            open_index(EmbeddingStore.open(embeddings), embeddings, tmp_path / "index", "ivf")


def test_an_index_by_another_rule_is_built_anew(embeddings, tmp_path, monkeypatch, capsys):
    open_index(EmbeddingStore.open(embeddings), embeddings, tmp_path / "index", "ivf")
    monkeypatch.setattr("mergerscope.search.indexed.SHRINKAGE", 0.2)
    open_index(EmbeddingStore.open(embeddings), embeddings, tmp_path / "index", "ivf")
    assert capsys.readouterr().err.count("built in") == 2
    assert json.loads((tmp_path / "index" / "ivf" / "index.json").read_text())["layout"][1] == 0.2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2, 70])
def test_very_small_surveys(kind, count):
    values = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    index = Index.build(kind, values[: Index.sample_size(kind, count)], [values], count)
    found = index.search(values, count, index.efforts[-1])
    assert (np.sort(found, axis=1) == np.arange(count)).all()
    assert (found[:, 0] == np.arange(count)).all()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ContractError, match="known are ivf, hnsw"):
        Index.build("tree", np.zeros((4, 2), np.float32), [], 4)


@pytest.mark.parametrize("first", ["torch", "faiss"])
def test_torch_and_faiss_compute_in_one_process(first):
    """Each brings an OpenMP runtime: with several threads, in turn, neither hangs, crashes or computes wrongly."""
    second = {"torch": "faiss", "faiss": "torch"}[first]
    code = f"""
import {first}, {second}, faiss, torch, numpy as np
torch.set_num_threads(4); faiss.omp_set_num_threads(4)
x = torch.randn(3000, 64, generator=torch.Generator().manual_seed(0))
for _ in range(3):
    y = torch.nn.functional.normalize(x @ torch.linalg.qr(x.T @ x)[0], dim=1).numpy()
    index = faiss.index_factory(64, "IVF16,Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(y); index.add(y)
    near = index.search(y[:200], 1, params=faiss.SearchParametersIVF(nprobe=16))[1][:, 0]
    best = (torch.from_numpy(y[:200]) @ torch.from_numpy(y).T).argmax(1).numpy()
    assert (near == np.arange(200)).all() and (best == near).all()
print("both")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "both\n"
    assert "OMP" not in done.stderr

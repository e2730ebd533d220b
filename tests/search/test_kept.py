"""A ranking that was killed goes on where it was, and never from what was made from something else."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.params import RankParams
from mergerscope.search import stream
from mergerscope.search.kept import KeptSpans, kept_scores
from mergerscope.search.rankers import RANKERS, score
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write_store import StoreWriter

DIM = 24
SIZE = 5000


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 64 rows, and so spans of 1,024."""
    monkeypatch.setattr("mergerscope.search.store.BLOCK_VALUES", 0)
    assert stream.SPAN * stream.block_rows(DIM) == 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "embeddings"
    writer = StoreWriter(folder)
    generator = np.random.default_rng(7)
    for start in range(0, SIZE, 1300):
        rows = range(start, min(SIZE, start + 1300))
        values = generator.standard_normal((len(rows), DIM), np.float32) + 0.1
        writer.add([f"g{row}" for row in rows], values, generator.standard_normal(len(rows)))
    writer.close()
    return folder


@pytest.fixture
def reads(monkeypatch):
    """The first rows of the blocks that are read."""
    seen = []
    read = EmbeddingStore.read

    def noted(self, start, stop, buffer):
        seen.append(start)
        return read(self, start, stop, buffer)

    monkeypatch.setattr(EmbeddingStore, "read", noted)
    return seen


KNOWN = np.array([3, 500, 4000])


def rank(folder, scratch, ranker="mean_cosine", references=KNOWN, settings=None, interrupt=False):
    store = EmbeddingStore.open(folder)
    settings = settings or RankParams()
    with kept_scores(scratch, folder, ranker, references, [], settings):
        scores = score(ranker, store, references, settings)
        if interrupt:
            raise KeyboardInterrupt
    return scores


def test_a_finished_ranking_leaves_nothing(folder, tmp_path):
    scores = rank(folder, tmp_path / "rank")
    assert list((tmp_path / "rank").iterdir()) == []
    np.testing.assert_array_equal(scores, score("mean_cosine", EmbeddingStore.open(folder), KNOWN, RankParams()))


@pytest.mark.parametrize("ranker", ["mean_cosine", "whitened", "blend"])
def test_what_was_scored_is_taken_as_it_was(ranker, folder, tmp_path, reads):
    with pytest.raises(KeyboardInterrupt):
        rank(folder, tmp_path, ranker, interrupt=True)
    assert reads
    reads.clear()
    again = rank(folder, tmp_path, ranker)
    assert reads == []
    np.testing.assert_array_equal(again, score(ranker, EmbeddingStore.open(folder), KNOWN, RankParams()))


@pytest.mark.parametrize("change", ["references", "settings", "ranker", "file", "code"])
def test_nothing_is_taken_that_was_made_from_something_else(change, folder, tmp_path, reads, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        rank(folder, tmp_path, interrupt=True)
    (old,) = tmp_path.iterdir()
    reads.clear()
    more = {}
    if change == "references":
        more["references"] = np.array([3, 500, 4001])
    elif change == "settings":
        more["settings"] = RankParams(nearest_references=3)
    elif change == "ranker":
        more["ranker"] = "centred"
    elif change == "file":
        os.utime(folder / "shard-000002.npy")
    else:
        monkeypatch.setattr("mergerscope.search.kept._code", lambda: "other")
    rank(folder, tmp_path, **more)
    assert len(set(reads)) >= SIZE // 64
    assert not old.exists()


def test_a_damaged_span_is_scored_again(folder, tmp_path, reads):
    with pytest.raises(KeyboardInterrupt):
        rank(folder, tmp_path, interrupt=True)
    (path,) = tmp_path.glob("*/pass-1.scores")
    with path.open("r+b") as file:
        file.seek(4 * 1500)
        file.write(b"\x00\x00\x00\x00")
    reads.clear()
    scores = rank(folder, tmp_path)
    assert sorted(reads) == list(range(1024, 2048, 64))
    np.testing.assert_array_equal(scores, score("mean_cosine", EmbeddingStore.open(folder), KNOWN, RankParams()))


@given(size=st.integers(1, 300), span=st.integers(1, 50), which=st.sets(st.integers(0, 20)))
def test_spans_come_back_as_they_went(tmp_path_factory, size, span, which):
    path = tmp_path_factory.mktemp("spans") / "scores"
    values = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    starts = range(0, size, span)
    first = KeptSpans(path, size, span)
    for start in [start for number, start in enumerate(starts) if number in which]:
        first.keep(start, values[start : start + span])
    first.close()
    second = KeptSpans(path, size, span)
    for number, start in enumerate(starts):
        out = np.full(len(values[start : start + span]), np.nan, np.float32)
        there = second.take(start, out)
        assert there == (number in which)
        if there:
            np.testing.assert_array_equal(out, values[start : start + span])
    second.close()


CHILD = r"""
import os, sys, time
from pathlib import Path
import numpy as np
from mergerscope.params import RankParams
from mergerscope.search import store as stores
from mergerscope.search.kept import kept_scores
from mergerscope.search.rankers import score
from mergerscope.search.store import EmbeddingStore

stores.BLOCK_VALUES = 0
folder, scratch, ranker = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
read = EmbeddingStore.read
def slow(self, start, stop, buffer):
    if start >= 2048:
        os.write(1, b"there\n")  # whole, also from two threads
        time.sleep(600)
    return read(self, start, stop, buffer)
references = np.array([3, 500, 4000])
store = EmbeddingStore.open(folder)
with kept_scores(scratch, folder, ranker, references, [], RankParams()):
    if ranker != "mean_cosine":
        from mergerscope.search.moments import pool_moments
        pool_moments(store)
    EmbeddingStore.read = slow
    score(ranker, store, references, RankParams())
"""


@pytest.mark.parametrize("ranker", ["mean_cosine", "whitened"])
def test_a_killed_process_is_gone_on_with(ranker, folder, tmp_path, reads):
    command = [sys.executable, "-c", CHILD, str(folder), str(tmp_path), ranker]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        # Other threads may still be at work on the first spans: wait until these are kept.
        deadline = time.monotonic() + 120
        while not _kept(tmp_path, [0, 1]) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    assert (said, process.returncode) == ("there\n", -signal.SIGKILL)
    reads.clear()
    scores = rank(folder, tmp_path, ranker)
    assert sorted(reads) == list(range(2048, SIZE, 64))
    np.testing.assert_array_equal(scores, score(ranker, EmbeddingStore.open(folder), KNOWN, RankParams()))


def _kept(scratch, spans):
    for path in scratch.glob("*/pass-1.scores"):
        checks = np.frombuffer(path.read_bytes()[4 * SIZE :], np.uint32)
        return bool(np.all(checks[spans] != 0))
    return False


def test_every_ranker_scores_the_same_with_its_scores_kept(folder, tmp_path):
    for ranker in RANKERS:
        plain = score(ranker, EmbeddingStore.open(folder), KNOWN, RankParams())
        np.testing.assert_array_equal(rank(folder, tmp_path, ranker), plain)


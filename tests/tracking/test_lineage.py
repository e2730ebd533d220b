"""Lineage: commits and digests as git and DVC themselves tell them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mergerscope import __version__
from mergerscope.paths import Paths
from mergerscope.tracking.lineage import data_digests, digest_of, file_digest, lineage

GRAPH = """
stages:
  catalog:
    cmd: echo a > catalog.parquet
    deps: [data, code.py]
    outs: [catalog.parquet]
  shard:
    cmd: mkdir -p shards && echo a > shards/a.tar && echo b > shards/manifest.json
    deps: [catalog.parquet]
    outs:
      - shards:
          desc: images
  train:
    cmd: echo trained
    deps: [shards, catalog.parquet, code.py]
"""


def call(root: Path, *words: str) -> str:
    return subprocess.run(words, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Paths:
    call(tmp_path, "git", "init", "-q")
    call(tmp_path, "git", "config", "user.name", "Anna")
    call(tmp_path, "git", "config", "user.email", "anna@example.org")
    (tmp_path / "code.py").write_text("1\n", encoding="utf-8")
    (tmp_path / "dvc.yaml").write_text(GRAPH, encoding="utf-8")
    call(tmp_path, "git", "add", ".")
    call(tmp_path, "git", "commit", "-qm", "Begin")
    return Paths(tmp_path)


def fill(paths: Paths) -> None:
    (paths.root / "data").mkdir()
    (paths.root / "data" / "image.jpg").write_text("x", encoding="utf-8")
    paths.catalog.write_text("a\n", encoding="utf-8")
    paths.shards.mkdir()
    (paths.shards / "a.tar").write_text("a\n", encoding="utf-8")
    paths.manifest.write_text("b\n", encoding="utf-8")


def test_the_commit_is_dirty_by_the_source_not_by_what_the_pipeline_writes(repository: Paths) -> None:
    commit = call(repository.root, "git", "rev-parse", "HEAD")
    assert lineage(repository, "train") == {
        "mergerscope.version": __version__, "git.commit": commit, "git.dirty": "false",
    }
    repository.dvc_lock.write_text("a", encoding="utf-8")
    repository.models.mkdir()
    repository.champion.write_text("a", encoding="utf-8")
    call(repository.root, "git", "add", ".")
    assert lineage(repository, "train")["git.dirty"] == "false"
    (repository.root / "code.py").write_text("2\n", encoding="utf-8")
    assert lineage(repository, "train")["git.dirty"] == "true"


def test_outside_a_repository_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert lineage(Paths(tmp_path), "train") == {"mergerscope.version": __version__}


def test_without_dvc_digests_are_computed(repository: Paths) -> None:
    fill(repository)
    assert data_digests(repository, "train") == {
        "shards": file_digest(repository.manifest, "md5"),
        "catalog.parquet": file_digest(repository.catalog, "md5"),
    }
    assert digest_of(repository, "nowhere") is None


def test_digests_are_those_of_the_lock_as_long_as_it_fits(repository: Paths) -> None:
    fill(repository)
    lock = """
stages:
  shard:
    outs:
      - {path: shards, hash: md5, md5: 0123456789abcdef0123456789abcdef.dir, size: 4, nfiles: 2}
"""
    repository.dvc_lock.write_text(lock, encoding="utf-8")
    assert data_digests(repository, "train")["shards"] == "0123456789abcdef0123456789abcdef.dir"
    (repository.shards / "more.tar").write_text("", encoding="utf-8")
    assert data_digests(repository, "train")["shards"] == file_digest(repository.manifest, "md5")


def test_a_folder_under_dvc_counts_as_data(repository: Paths) -> None:
    fill(repository)
    text = "outs:\n- {md5: aaaa.dir, size: 1, nfiles: 1, hash: md5, path: data}\n"
    (repository.root / "data.dvc").write_text(text, encoding="utf-8")
    assert data_digests(repository, "catalog") == {"data": "aaaa.dir"}


def test_a_survey_that_was_copied_into_place_has_the_digest_under_which_stages_read_it(repository: Paths) -> None:
    fill(repository)
    assert digest_of(repository, "data") is None
    lock = """
stages:
  shard:
    deps:
      - {path: data, hash: md5, md5: old.dir, size: 7, nfiles: 3}
  catalog:
    deps:
      - {path: code.py, hash: md5, md5: bbbb, size: 2}
      - {path: data, hash: md5, md5: aaaa.dir, size: 1, nfiles: 1}
"""
    repository.dvc_lock.write_text(lock, encoding="utf-8")
    assert digest_of(repository, "data") == digest_of(repository, "./data/") == "aaaa.dir"
    (repository.root / "data" / "image.jpg").write_text("xx", encoding="utf-8")
    assert digest_of(repository, "data") is None


def test_dvc_agrees_on_a_survey_of_its_own_kind(repository: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ``data.dvc``: the digest is what DVC writes into its lock, and what adding the folder would give."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    call(repository.root, sys.executable, "-m", "dvc", "init", "-q")
    (repository.root / "data").mkdir()
    (repository.root / "data" / "image.jpg").write_text("x", encoding="utf-8")
    call(repository.root, sys.executable, "-m", "dvc", "repro", "-q", "catalog")
    digest = digest_of(repository, "data")
    assert digest is not None
    call(repository.root, sys.executable, "-m", "dvc", "add", "-q", "data")
    assert f"md5: {digest}" in (repository.root / "data.dvc").read_text(encoding="utf-8")


def test_dvc_agrees(repository: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    call(repository.root, sys.executable, "-m", "dvc", "init", "-q")
    (repository.root / "data").mkdir()
    (repository.root / "data" / "image.jpg").write_text("x", encoding="utf-8")
    call(repository.root, sys.executable, "-m", "dvc", "add", "-q", "data")
    call(repository.root, sys.executable, "-m", "dvc", "repro", "-q", "shard")
    lock = repository.dvc_lock.read_text(encoding="utf-8")
    digests = {**data_digests(repository, "train"), **data_digests(repository, "catalog")}
    assert digests.keys() == {"shards", "catalog.parquet", "data"}
    assert all(digest in lock for digest in digests.values())
    assert digests["shards"].endswith(".dir")

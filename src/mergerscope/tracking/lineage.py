"""Where a run's result comes from: the source's commit and the digests of the data that went in."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mergerscope import __version__
from mergerscope.paths import Paths

__all__ = ["data_digests", "digest_of", "file_digest", "lineage"]

# Written by the pipeline itself while it runs, some of it kept in git: no change of the source.
PIPELINE_OUTPUTS = ("dvc.lock", "models", "results")


def lineage(paths: Paths, stage: str) -> dict[str, str]:
    """Return tags that say what a stage's run was made from.

    - ``git.commit`` and ``git.dirty``: whether tracked files differ from it, the pipeline's own outputs aside.
      Both are absent outside a git repository.
    - ``dvc.<path>``: the digest of each data dependency of the stage (see `data_digests`).
    - ``mergerscope.version``.
    """
    tags = {"mergerscope.version": __version__, **_git(paths.root)}
    return tags | {f"dvc.{path}": digest for path, digest in data_digests(paths, stage).items()}


def data_digests(paths: Paths, stage: str) -> dict[str, str]:
    """Return the digest of every data dependency of a stage by its path; empty where there is no ``dvc.yaml``.

    Code is told by the commit, so only outputs of other stages and folders under DVC count as data.
    """
    graph = _yaml(paths.root / "dvc.yaml").get("stages", {})
    outputs = {path for other in graph.values() for path in _names(other.get("outs", []))}
    deps = [
        path for path in _names(graph.get(stage, {}).get("deps", []))
        if path in outputs or (paths.root / f"{path}.dvc").is_file()
    ]
    return {path: digest for path in deps if (digest := digest_of(paths, path)) is not None}


def digest_of(paths: Paths, path: str) -> str | None:
    """Return the digest by which DVC knows a file or folder, or None where nothing lies there.

    A file's MD5 is computed. A folder's is read from its ``.dvc`` file or from ``dvc.lock``, where it may be the
    output of a stage or, as a survey that was copied into its place, what a stage read; if the number of its files
    and bytes still agrees. Else, as when a stage was run without DVC, it is the MD5 of the folder's
    ``manifest.json``, which names each file's digest.
    """
    place = paths.root / path
    if place.is_file():
        return file_digest(place, "md5")
    if not place.is_dir():
        return None
    sizes = [file.stat().st_size for file in place.rglob("*") if file.is_file()]
    for known in _locked(paths, path):
        if (known.get("nfiles"), known.get("size")) == (len(sizes), sum(sizes)):
            return str(known["md5"])
    manifest = place / "manifest.json"
    return file_digest(manifest, "md5") if manifest.is_file() else None


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the hexadecimal digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _git(root: Path) -> dict[str, str]:
    commit = _ask_git(root, "rev-parse", "HEAD")
    if commit is None:
        return {}
    others = [f":(exclude){path}" for path in PIPELINE_OUTPUTS]
    changed = _ask_git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *others)
    return {"git.commit": commit, "git.dirty": "true" if changed else "false"}


def _ask_git(root: Path, *words: str) -> str | None:
    try:
        answer = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _locked(paths: Paths, path: str) -> list[dict[str, Any]]:
    """Return what DVC has written down of a folder, the surest first: its own file, stages' outputs, stages' inputs."""
    place = os.path.normpath(paths.root / path)
    own = [entry | {"path": path} for entry in _yaml(Path(f"{place}.dvc")).get("outs", [])]
    stages = _yaml(paths.dvc_lock).get("stages", {}).values()
    entries = own + [entry for kind in ("outs", "deps") for stage in stages for entry in stage.get(kind, [])]
    return [
        entry for entry in entries if "md5" in entry and os.path.normpath(paths.root / entry.get("path", "")) == place
    ]


def _names(entries: list[Any]) -> list[str]:
    # DVC writes an entry as a path, or as a mapping of the path to its options.
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def _yaml(path: Path) -> dict[str, Any]:
    try:
        tree = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, YAMLError):
        return {}
    return tree if isinstance(tree, dict) else {}

"""A survey's index on disk: built once, measured against the exact search, never used for other embeddings."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mergerscope.progress import console, progress
from mergerscope.search.alike import Found, Queries, most_alike
from mergerscope.search.index import Index
from mergerscope.search.moments import SHRINKAGE, Moments, know_moments, pool_moments
from mergerscope.search.similarity import affine, unit_rows
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import map_blocks
from mergerscope.search.write import write_json

__all__ = ["Indexed", "exact_nearest", "open_index"]

Array = np.ndarray[Any, Any]

LAYOUT = 1
"""To be raised when indexes of another kind are built, so that old ones are not used."""

VECTORS, MOMENTS = "index.faiss", "moments.npz"

SAMPLE = 200
NEAREST = 100
"""Recall is measured on the hundred nearest of two hundred galaxies: half choose the effort, the others tell."""

TARGET = 0.95
"""Recall that the effort is chosen for."""

WIDER = 4
"""Candidates that the index gives for each galaxy that is asked for: their likeness is then computed exactly."""

SEED = 20270


@dataclass(frozen=True, slots=True)
class Indexed:
    """An index that belongs to a store.

    Attributes:
        index: of the whitened unit vectors of all rows.
        effort: of a search.
        recall: share of the nearest galaxies that it finds.
        nearest: how many are meant by that.
    """

    index: Index
    effort: int
    recall: float
    nearest: int

    def most_alike(self, store: EmbeddingStore, queries: Queries, count: int, leave_out: Any = ()) -> Found:
        """Return what `mergerscope.search.alike.most_alike` does, from those galaxies that the index proposes.

        For more galaxies than it looks at by its effort, it searches harder, at last exactly: as many are found as
        are asked for.
        """
        wanted = min(self.index.count, WIDER * (count + len(leave_out)))
        if count > self.nearest:
            _say(f"index {self.index.kind}: the share was measured for {self.nearest} galaxies; of {count} it may find "
                 "a smaller one")  # fmt: skip
        for effort in (one for one in self.index.efforts if one >= self.effort):
            near = self.index.search(queries.units.numpy(), wanted, effort)
            if (near >= 0).all():
                return most_alike(store, queries, count, leave_out, among=np.unique(near))
        return most_alike(store, queries, count, leave_out)


def open_index(store: EmbeddingStore, embeddings: Path, place: Path, kind: str) -> Indexed:
    """Return the index of a kind, building it where there is none of these very embeddings.

    What was built is known by the content of the embeddings. Files whose sizes, times and inodes are those of then
    are not read again.

    Args:
        store: opened from ``embeddings``.
        embeddings: the folder.
        place: folder of indexes; safe to delete.
        kind: ``ivf`` or ``hnsw``.
    """
    folder = place / kind
    about = _read(folder / "index.json")
    stamp = _stamp(embeddings)
    whole = all((folder / name).is_file() for name in (VECTORS, MOMENTS))
    known = whole and about.get("layout") == [LAYOUT, SHRINKAGE]
    if known and about["stamp"] != stamp:
        known = about["digest"] == _digest(embeddings)
        if known:
            write_json(folder / "index.json", {**about, "stamp": stamp})
    if known:
        return _load(store, folder, about, kind)
    return _build(store, embeddings, folder, kind, stamp)


def _load(store: EmbeddingStore, folder: Path, about: dict[str, Any], kind: str) -> Indexed:
    with np.load(folder / MOMENTS, allow_pickle=False) as saved:
        know_moments(store, Moments(store.size, saved["mean"], saved["covariance"]))
    found = Indexed(Index.load(kind, folder / VECTORS), about["effort"], about["recall"], about["nearest"])
    _tell(kind, found, "of an earlier search")
    return found


def _build(store: EmbeddingStore, embeddings: Path, folder: Path, kind: str, stamp: list[Any]) -> Indexed:
    start = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    # Without it the folder is no index: a kill from here on leaves nothing that would be used.
    (folder / "index.json").unlink(missing_ok=True)
    moments = pool_moments(store)
    whiten = affine(moments, moments.whitening)
    draw = np.random.default_rng(SEED)
    some = np.sort(draw.choice(store.size, Index.sample_size(kind, store.size), replace=False))
    sample = unit_rows(whiten(torch.from_numpy(store.rows(some)))).numpy()
    with progress(f"index {kind}", store.size, "galaxies") as advance:
        def blocks() -> Any:
            for block in map_blocks(store, lambda first, rows: unit_rows(whiten(rows)).numpy()):
                yield block
                advance(len(block))

        index = Index.build(kind, sample, blocks(), store.size)
    asked = draw.choice(store.size, min(SAMPLE, store.size), replace=False)
    found = _measured(store, index, unit_rows(whiten(torch.from_numpy(store.rows(asked)))))
    index.save(folder / VECTORS)
    np.savez(folder / MOMENTS, mean=moments.mean, covariance=moments.covariance)
    write_json(folder / "index.json", {
        "layout": [LAYOUT, SHRINKAGE], "effort": found.effort, "recall": found.recall, "nearest": found.nearest,
        "digest": _digest(embeddings), "stamp": stamp,
    })  # fmt: skip
    _tell(kind, found, f"built in {time.monotonic() - start:.1f} s")
    return found


def _measured(store: EmbeddingStore, index: Index, units: torch.Tensor) -> Indexed:
    """Choose the least effort that finds enough on one half of the queries, and measure it on the other."""
    nearest = min(NEAREST, store.size)
    exact = exact_nearest(store, units, nearest)
    half = (len(units) + 1) // 2

    def recall(effort: int, rows: slice) -> float:
        got = index.search(units[rows].numpy(), min(store.size, WIDER * nearest), effort)
        pairs = zip(exact[rows], got, strict=True)
        return float(np.mean([np.isin(wanted, given).mean() for wanted, given in pairs]))

    effort = next((one for one in index.efforts if recall(one, slice(half)) >= TARGET), index.efforts[-1])
    told = recall(effort, slice(half, None) if half < len(units) else slice(half))
    return Indexed(index, effort, round(told, 4), nearest)


def exact_nearest(store: EmbeddingStore, units: torch.Tensor, count: int) -> Array:
    """Return the numbers (Q, count) of the galaxies nearest to each of (Q, A) whitened unit vectors, nearest first."""
    moments = pool_moments(store)
    whiten = affine(moments, moments.whitening)

    def best_of(start: int, block: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values, places = (units @ unit_rows(whiten(block)).T).topk(min(count, len(block)), dim=1)
        return values, places + start

    values, numbers = torch.empty(len(units), 0), torch.empty(len(units), 0, dtype=torch.int64)
    for more_values, more_numbers in map_blocks(store, best_of):
        values, numbers = torch.cat([values, more_values], 1), torch.cat([numbers, more_numbers], 1)
        values, order = values.topk(min(count, values.shape[1]), dim=1)
        numbers = numbers.gather(1, order)
    return np.asarray(numbers.numpy())


def _tell(kind: str, found: Indexed, when: str) -> None:
    _say(f"index {kind}, {when}: it finds {found.recall:.1%} of the {found.nearest} galaxies nearest to one, against "
         "the exact search")  # fmt: skip


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _files(embeddings: Path) -> list[Path]:
    return sorted(path for path in embeddings.iterdir() if path.suffix != ".new")


def _stamp(embeddings: Path) -> list[Any]:
    """What changes with every write to the files, as the kernel keeps it, and costs nothing to ask."""
    return [
        [path.name, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino]
        for path in _files(embeddings) for info in [path.stat()]
    ]  # fmt: skip


def _digest(embeddings: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(embeddings):
        with path.open("rb") as file:
            digest.update(f"{path.name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()

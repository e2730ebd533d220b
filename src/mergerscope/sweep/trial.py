"""One trial, as a worker does it: the trainings of one set of values, through the same `fit` as the train stage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mergerscope.files import write_text
from mergerscope.learn.fit import fit
from mergerscope.learn.monitoring import RANKER
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.shards.writer import write_shards
from mergerscope.survey.catalog_file import Catalog, read_catalog
from mergerscope.survey.refusals import read_refusals
from mergerscope.sweep.task import OnEpoch, Result, Task

__all__ = ["train"]


def train(task: Task, on_epoch: OnEpoch) -> Result:
    """Train an encoder for each of the task's parameters, and judge each on references only.

    Args:
        task: what to do.
        on_epoch: called with the number of whole epochs so far, over all trainings, and the history's row of the last.
            What it raises ends the trial and is passed on.

    Raises:
        MergerscopeError: as `mergerscope.learn.fit.fit` and `mergerscope.shards.writer.write_shards` do.
    """
    paths = Paths(task.root)
    catalog = read_catalog(paths.catalog)
    shards = _packed(paths, task, catalog) if task.packs else paths.shards
    done, epochs = [], 0
    for params in task.params:
        before = epochs

        def told(epoch: int, row: dict[str, float], before: int = before) -> None:
            nonlocal epochs
            epochs = before + epoch + 1
            on_epoch(epochs, row)

        done.append(_trained(params, shards, catalog, task, told))
    return Result(
        recalls=[one["recall"] for one in done],
        fold_recalls=[one["fold_recalls"] for one in done],
        average_precisions=[one["average_precision"] for one in done],
        embedding_dim=done[0]["embedding_dim"],
    )


def _trained(
    params: Params, shards: Path, catalog: Catalog, task: Task, told: Callable[[int, dict[str, float]], None]
) -> dict[str, Any]:
    """Train once, or take what a trial with the same values had finished before its process died."""
    kept = task.scratch / f"{_key(params, task)}.json"
    if kept.is_file():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        for epoch, row in enumerate(found["history"]):
            told(epoch, row)
        return found
    ranker = params.rank.ranker if task.judge_by_own_ranker else RANKER
    result = fit(
        params, shards, catalog, scratch=task.scratch / _key(params, task), on_epoch=told, judge_by=ranker,
        description=f"trial {task.number}",
    )  # fmt: skip
    found = {
        **result.validation["trained"],
        "fold_recalls": list(result.fold_recalls),
        "embedding_dim": result.encoder.config.output_dim,
        "history": result.history,
    }
    write_text(kept, json.dumps(found))
    return found


def _packed(paths: Paths, task: Task, catalog: Catalog) -> Path:
    """Return shards of the trial's own crop and size; all its trainings have the same."""
    shards, params = task.scratch / "shards", task.params[0]
    if not (shards / "manifest.json").is_file():
        write_shards(
            catalog, paths.root / params.survey.root, shards,
            params.shard.model_copy(update={"workers": task.threads}),
            read_refusals(paths.catalog_report / "refused.csv"), scratch=task.scratch / "packing",
        )  # fmt: skip
    return shards


def _key(params: Params, task: Task) -> str:
    told = json.dumps([params.model_dump(mode="json", by_alias=True, exclude={"sweep"}), task.data], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]

"""What makes the trials of one study comparable: kept with it, and compared when it is taken up again."""

from __future__ import annotations

import hashlib
from typing import Any

from mergerscope.errors import ContractError, SweepError
from mergerscope.learn.examination import Examination
from mergerscope.params import Params, names, value_at
from mergerscope.search.negatives import recall_depth
from mergerscope.shards.manifest import Manifest
from mergerscope.survey.catalog_file import Catalog

__all__ = ["check_same", "study_settings"]

SHARED = (
    "flux", "views", "encoder", "objective", "train", "shard.crop", "shard.size", "embed.pooling", "embed.views",
    "rank",
)
"""Parameters on which a trial's recall depends, by block or name."""
SPEED = {"train.workers", "train.device", "train.devices", "train.epochs", "train.monitor_k", "rank.top"}
"""Of these blocks, what it does not depend on; the study tells epochs and k itself."""
FREE = ("sampler", "pruner")
"""How the search goes about it may change: the trials stay comparable."""
WORDS = {"survey": "the survey", "split": "the references and the pool", "shards": "the shards"}


def study_settings(params: Params, manifest: Manifest, catalog: Catalog) -> dict[str, Any]:
    """Return all on which the recall of a trial depends beside its own values, for JSON.

    Raises:
        ContractError: the shards are of other settings, or there is nothing to validate on.
    """
    if (manifest.crop, manifest.image_shape[-1]) != (params.shard.crop, params.shard.size):
        raise ContractError(
            f"the shards have shard.crop {manifest.crop:g} and shard.size {manifest.image_shape[-1]}, and params.yaml "
            f"says {params.shard.crop:g} and {params.shard.size}. Run `dvc repro shard` first."
        )
    examined = Examination.of(params, manifest, catalog)
    if len(set(examined.pictures[examined.references].tolist())) < 2:
        raise ContractError(
            "a sweep looks for held-out references among the others, and there are no two references with different "
            "pictures. Lower target.threshold or split.hidden_fraction, or take a survey with more known mergers."
        )
    sweep = params.sweep
    shards = hashlib.sha256("".join(shard.sha256 for shard in manifest.shards).encode()).hexdigest()
    return {
        "k": recall_depth(sweep.k, len(examined.pool)),
        "epochs": sweep.epochs or params.train.epochs,
        "repeats": sweep.repeats,
        "pruner": sweep.pruner,
        "sampler": sweep.sampler,
        "multi_objective": sweep.multi_objective,
        "space": {name: searched.entry() for name, searched in sweep.space.items()},
        "references": len(examined.references),
        "pool": len(examined.pool),
        "folds": params.rank.folds,
        **examined.judged_on,
        "shards": shards[:12],
        "parameters": _shared(params),
    }


def check_same(study: str, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Check that trials of the present settings may join those that a study has.

    Raises:
        SweepError: they would not be comparable; names every difference.
    """
    differences = [
        line for name in now if name not in FREE and before.get(name) != now[name]
        for line in _differences(name, before.get(name), now[name])
    ]  # fmt: skip
    if differences:
        raise SweepError(
            f"The study {study} was begun with other settings, so that new trials could not be compared with its own:\n"
            + "\n".join(f"  {line}" for line in differences)
            + "\nSet them back, or begin another study."
        )


def _shared(params: Params) -> dict[str, Any]:
    searched = {*params.sweep.space, *SPEED}
    if not any(name.startswith("rank.") for name in params.sweep.space):
        searched |= {name for name in names(params) if name.startswith("rank.") and name != "rank.folds"}
    return {
        name: _plain(value_at(params, name)) for name in names(params)
        if name not in searched and (name in SHARED or name.split(".")[0] in SHARED)
    }  # fmt: skip


def _plain(value: Any) -> Any:
    # JSON gives lists back
    return list(value) if isinstance(value, tuple) else value


def _differences(name: str, before: Any, now: Any) -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        inside = sorted({*before, *now})
        return [f"{part if name == 'parameters' else f'{name}.{part}'}: {before.get(part, 'not there')} then, "
                f"{now.get(part, 'not there')} now" for part in inside if before.get(part) != now.get(part)]
    if name in WORDS:
        return [f"{WORDS[name]}: others than then"]
    return [f"{name}: {before} then, {now} now"]

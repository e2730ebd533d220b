"""What of params.yaml shapes the model: the parameters of a run, and its name."""

from __future__ import annotations

import json
from typing import Any

from mergerscope.params import Params

__all__ = ["model_parameters", "run_name"]

CONTRASTIVE = ("simclr", "moco")
"""Terms that work on projections at a temperature."""


def model_parameters(params: Params) -> dict[str, str]:
    """Return every parameter on which the trained encoder depends, by its dotted path in params.yaml.

    Left out is what belongs to later stages, what says only where and how fast training runs, and what belongs
    to an objective that takes no part: two runs differ in a parameter only where it can matter.
    """
    tree = params.model_dump(mode="json", by_alias=True)
    objective = tree["objective"]
    terms = params.objective.weights
    if not any(term in terms for term in CONTRASTIVE):
        del objective["temperature"], objective["projection_dim"]
    for term in {"pairs", *CONTRASTIVE} - terms.keys():
        del objective[term]
    del tree["train"]["device"]
    flux = {name: tree["flux"][name] for name in ("bin", "stretch")}
    if params.flux.stretch == "lupton":
        flux |= {"softening": params.flux.softening, "scale": ", ".join(map(str, params.flux.scale))}
    chosen = {
        "target": tree["target"],
        "flux": flux,
        "shard": {name: tree["shard"][name] for name in ("crop", "size")},
        "views": tree["views"],
        "encoder": tree["encoder"],
        "objective": objective,
        "train": tree["train"],
        "embed": {"pooling": tree["embed"]["pooling"], "views": tree["embed"]["views"]},
    }
    if params.train.images == "references":
        chosen["split"] = tree["split"]
    return dict(_flat(chosen))


def run_name(params: Params) -> str:
    """Return what a person calls this training: objective, size and strength.

    For example ``pairs+0.3simclr r18w0.5 96px s0.5``; ``references`` is added where only they are trained on.
    """
    encoder = params.encoder
    size = f"r{encoder.depth}w{encoder.width:g} {params.shard.size}px"
    images = "" if params.train.images == "all" else f" {params.train.images}"
    return f"{params.objective.name} {size} s{params.views.strength:g}{images}"


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    leaves: list[tuple[str, str]] = []
    for name, value in tree.items():
        if isinstance(value, dict):
            leaves += _flat(value, f"{prefix}{name}.")
        else:
            leaves.append((prefix + name, _plain(value)))
    return leaves


def _plain(value: Any) -> str:
    # MLflow's comparison spreads a JSON list over several lines.
    if isinstance(value, list):
        return " to ".join(_plain(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value)

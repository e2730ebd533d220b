"""Register the trained encoder in MLflow and make it the champion, if it passes the gate."""

from __future__ import annotations

from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import console
from mergerscope.tracking.gate import score
from mergerscope.tracking.registry import register

__all__ = ["run"]


def run(paths: Paths, params: Params) -> None:
    """Register the trained encoder in MLflow and make it the champion, if it passes the gate.

    Reads ``models/encoder.safetensors``, ``models/encoder.json`` and ``results/train/metrics.json``; writes the
    receipt ``models/champion.json``. Quick and without effect when nothing has changed, so it always runs: on a
    fresh clone the registry is empty, whatever DVC has in its cache.
    """
    receipt = register(paths, params)
    receipt.save(paths.champion)
    judged = ""
    if receipt.validation is not None:
        trained, untrained = (score(receipt.validation, encoder) for encoder in ("trained", "untrained"))
        if trained is not None and untrained is not None:
            judged = f", average precision on validation folds {trained:.4f} (untrained {untrained:.4f})"
    console.print(
        f"champion: {receipt.name} with weights {receipt.weights_sha256[:12]}{judged}", highlight=False, soft_wrap=True
    )

"""The model card, made from the metrics: it cannot say what was not measured."""

from __future__ import annotations

from typing import Any

from mergerscope.report import findings
from mergerscope.report.inputs import Inputs
from mergerscope.report.page import render
from mergerscope.report.words import percent

__all__ = ["model_card"]


def model_card(inputs: Inputs) -> str:
    """Return the card as Markdown. Equal inputs give equal text: the file is kept in git."""
    params, evaluation, manifest = inputs.params, inputs.evaluation, inputs.manifest
    noun = findings.noun_of(params.target.column)
    references = len(inputs.labels.references)
    context: dict[str, Any] = {
        "noun": noun,
        "evaluation": evaluation,
        "headline": findings.headline(evaluation),
        "shown": [row for encoder in evaluation.encoders if (row := evaluation.best(encoder)) is not None],
        "splits": evaluation.splits,
        "confidence": percent(params.evaluate.confidence),
        "warnings": findings.warnings_of(evaluation, references, noun),
        "registered": f"{inputs.receipt['name']}@{inputs.receipt['alias']}",
        "weights": inputs.receipt["weights_sha256"],
        "network": f"ResNet-{params.encoder.depth} of {params.encoder.width:g} times the published width",
        "dim": inputs.store.dim,
        "origin": inputs.store.origin,
        "shape": " x ".join(str(side) for side in manifest.image_shape),
        "input_words": inputs.input_words,
        "crop": manifest.crop,
        "galaxies": inputs.store.size,
        "known": int(inputs.known.sum()),
        "judged": int(inputs.catalog.judged.sum()),
        "references": references,
        "refused": len(manifest.refused),
        "target": params.target,
        "objective": params.objective.name,
        "images": inputs.training.images,
        "sees_all": inputs.training.images == manifest.total,
        "epochs": inputs.training.epochs,
        "strength": params.views.strength,
        "pooling": params.embed.pooling,
        "views": params.embed.views,
    }
    return render("model_card.md.j2", context)

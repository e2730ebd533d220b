"""Put the report together: every figure as a file of its own, and the page that shows them all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mergerscope.report import findings, sentences
from mergerscope.report.curves import average_precision_panel, curve_panel
from mergerscope.report.embedding_map import draw_map, make_map
from mergerscope.report.evaluation import Metric
from mergerscope.report.failures import find_failures
from mergerscope.report.galleries import Gallery, candidate_gallery, deep_start, reference_gallery
from mergerscope.report.identity import identity, settings_text
from mergerscope.report.images import data_uri, save_sheet
from mergerscope.report.inputs import Inputs
from mergerscope.report.page import draw, render, style_sheet
from mergerscope.report.sheets import pairs_sheet, views_sheet
from mergerscope.report.style import Panel, save_panels
from mergerscope.report.tables import choice_lines, refused_groups, significance_lines
from mergerscope.report.training import training_panels
from mergerscope.report.training_figures import training_figures
from mergerscope.report.words import ENCODERS, RANKERS, percent

__all__ = ["build_page"]

CONTENTS = (
    ("candidates", "Candidates"), ("deep", "Deep down"), ("references", "References"), ("curves", "Curves"),
    ("table", "Results"), ("significance", "Significance"), ("choice", "Ranker"), ("training", "Training"),
    ("views", "Views"), ("map", "Map"), ("failures", "Failures"), ("completeness", "Completeness"),
    ("refused", "Refused"), ("identity", "Identity"), ("reproduce", "Reproduce"),
)  # fmt: skip


def build_page(inputs: Inputs, digests: Mapping[str, str], figures: Path) -> str:
    """Draw all figures into a folder and return the page as HTML.

    Args:
        inputs: what the earlier stages wrote.
        digests: of the data, by name, for the part on identity.
        figures: an existing, empty folder; gets one PNG a figure.
    """
    context = _facts(inputs) | {"identity": identity(inputs, digests)}
    context |= _galleries(inputs, figures)
    context |= _judgement(inputs, figures)
    context |= _training(inputs, figures)
    context |= _map(inputs, figures)
    context |= {"completeness": _completeness(inputs, figures)}
    return render("page.html.j2", context)


def _facts(inputs: Inputs) -> dict[str, Any]:
    params, evaluation = inputs.params, inputs.evaluation
    noun = findings.noun_of(params.target.column)
    references = len(inputs.labels.references)
    return {
        "css": style_sheet(),
        "contents": [part for part in CONTENTS if part[0] != "completeness" or inputs.completeness],
        "noun": noun,
        "counts": {
            "galaxies": inputs.store.size,
            "known": int(inputs.known.sum()),
            "references": references,
            "candidates": inputs.candidates.total,
            "refused": len(inputs.manifest.refused),
        },
        "evaluation": evaluation,
        "splits": evaluation.splits,
        "confidence": percent(params.evaluate.confidence),
        "headline": findings.headline(evaluation),
        "warnings": findings.warnings_of(evaluation, references, noun),
        "tiles": sentences.tiles(evaluation),
        "target": params.target,
        "refused": refused_groups(inputs.manifest.refused),
        "settings": settings_text(params),
        "survey_root": params.survey.root,
        "registered": f"{inputs.receipt['name']}@{inputs.receipt['alias']}",
        "input_words": inputs.input_words,
        "top_rows": params.rank.top,
    }


def _galleries(inputs: Inputs, figures: Path) -> dict[str, Any]:
    start = deep_start(inputs.candidates.total, inputs.params.report.gallery)
    failures = find_failures(inputs)
    found = {
        "top": candidate_gallery(inputs, 0),
        "deep": candidate_gallery(inputs, start),
        "references": reference_gallery(inputs),
    }
    files = {f"gallery_{name}": gallery for name, gallery in found.items()}
    if failures is not None:
        files |= {"failures_missed": failures.missed, "failures_surprising": failures.surprising}
    for name, gallery in files.items():
        _save_gallery(gallery, figures / f"{name}.png")
    return {**found, "deep_from": start + 1, "failures": failures}


def _save_gallery(gallery: Gallery, path: Path) -> None:
    if gallery.pictures:
        save_sheet(gallery.pictures, path)


def _judgement(inputs: Inputs, figures: Path) -> dict[str, Any]:
    evaluation = inputs.evaluation
    noun = findings.noun_of(inputs.params.target.column)
    curves: list[Panel] = []
    panels: dict[str, Any] = {"curves": [], "average_precision": None}
    if evaluation.hidden and evaluation.curves:
        curves = [curve_panel(evaluation, name, noun) for name in ("precision", "recall")]
        average = average_precision_panel(evaluation)
        for panel in (*curves, average):
            save_panels([panel], figures / f"{panel.name.replace('-', '_')}.png")
        panels = {"curves": [draw(panel) for panel in curves], "average_precision": draw(average)}
    return {
        "drawings": panels,
        "rows": sorted(evaluation.rows, key=lambda row: -(row.average_precision.value or 0.0)),
        "nothing": Metric(),
        "shown_encoders": {row.encoder for row in evaluation.rows},
        "shown_rankers": {row.ranker for row in evaluation.rows},
        "encoders": ENCODERS,
        "rankers": RANKERS,
        "significance": significance_lines(evaluation),
        "choice": choice_lines(inputs.rank_choice),
        "sentences": sentences.all_of(inputs, noun),
    }


def _training(inputs: Inputs, figures: Path) -> dict[str, Any]:
    training_figures(inputs.paths.train_results, figures)
    return {
        "training_drawings": [draw(panel) for panel in training_panels(inputs.training)],
        "sheets": {"views": views_sheet(inputs.training), "pairs": pairs_sheet(inputs.training)},
    }


def _map(inputs: Inputs, figures: Path) -> dict[str, Any]:
    where = make_map(inputs)
    path = figures / "map.png"
    draw_map(inputs, where, path)
    total = len(where.rows)
    alt = f"{where.method} map of {total} galaxies, coloured by vote, with pictures of some of them"
    return {"map": {"method": where.method, "total": total, "picture": data_uri(path.read_bytes()), "alt": alt}}


def _completeness(inputs: Inputs, figures: Path) -> dict[str, Any] | None:
    found = inputs.completeness
    if found is None:
        return None
    save_panels(found.panels, figures / "completeness.png", columns=2)
    (figures / "completeness_gallery.png").write_bytes(found.gallery)
    return {
        "sentence": found.sentence(findings.noun_of(inputs.params.target.column)),
        "drawings": [draw(panel) for panel in found.panels],
        "gallery": data_uri(found.gallery),
        "metrics": found.metrics,
    }

"""The report of a sweep: one page that needs no network, in the look of the project's report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from mergerscope.counts import count, plural
from mergerscope.report.page import draw, render, style_sheet
from mergerscope.report.style import Panel
from mergerscope.report.words import NONE, decimal
from mergerscope.sweep.count import is_void
from mergerscope.sweep.figures import FIGURES, Figure
from mergerscope.sweep.plots import front_of
from mergerscope.sweep.rows import WORDS, rows, state_words
from mergerscope.sweep.scale import scales, short
from mergerscope.sweep.verdict import Verdict

__all__ = ["build_page"]

REM_PER_INCH = 8
"""How wide a drawing becomes on the page at most."""


def build_page(
    study: optuna.Study, trials: Sequence[FrozenTrial], verdict: Verdict, figures: Sequence[Figure], name: str
) -> str:
    """Return the page as HTML; equal studies give equal text."""
    settings: dict[str, Any] = study.user_attrs.get("settings", {})
    parameters = [scale.name for scale in scales(trials)]
    by_number = {trial.number: trial for trial in trials}
    front = [trial.number for trial in front_of(trials)]
    return render("sweep.html.j2", {
        "css": style_sheet(),
        "name": name,
        "verdict": verdict,
        "tiles": _tiles(verdict, trials),
        "drawings": {name: [] for name in FIGURES}
        | {figure.name: [_drawn(panel) for panel in figure.panels] for figure in figures},
        "settings": settings,
        "searched": _searched(settings),
        "parameters": parameters,
        "changes": _changes(by_number, verdict, settings, parameters),
        "lines": [_line(row, by_number[row["number"]], trials, parameters, front) for row in rows(trials)],
        "several": len(study.directions) > 1,
        "front": front,
    })  # fmt: skip


def _drawn(panel: Panel) -> dict[str, Any]:
    # A drawing of a few inches, stretched over the page, would have letters of a headline's size.
    return {**draw(panel), "rem": f"{panel.width * REM_PER_INCH:.0f}"}


def _tiles(verdict: Verdict, trials: Sequence[FrozenTrial]) -> list[dict[str, str]]:
    numbers = Counter(WORDS[trial.state] for trial in trials if not is_void(trial))
    parts = [f"{numbers[word]} {word}" for word in WORDS.values() if numbers[word] and word != "complete"]
    seconds = sum(row["seconds"] or 0.0 for row in rows(trials))
    best = "" if verdict.best is None else f"trial {verdict.best}"
    now = "" if verdict.baseline is None else f"trial {verdict.baseline}"
    noise = f"luck alone reaches {decimal(verdict.noise, 3)}" if math.isfinite(verdict.noise) else "noise unknown"
    if verdict.best is not None and verdict.best == verdict.baseline:
        noise = "the present settings are best"
    return [
        {"name": "best recall", "value": decimal(verdict.best_value, 3), "detail": best},
        {"name": "recall of the present settings", "value": decimal(verdict.baseline_value, 3), "detail": now},
        {"name": "lead of the best", "value": decimal(verdict.difference, 3), "detail": noise},
        {"name": "trials completed", "value": count(numbers["complete"]), "detail": ", ".join(parts)},
        {"name": "time of all trials", "value": _duration(seconds), "detail": "added up over the workers"},
    ]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _searched(settings: Mapping[str, Any]) -> str:
    """What was searched, and how each trial was judged, as sentences; parts that are not known are left out."""
    if not settings:
        return "The study does not say what it searched."
    pruner = settings.get("pruner")
    stopping = (
        "and no trial was stopped early" if pruner in (None, "none") or settings.get("multi_objective")
        else f"and a trial that fell behind was stopped ({pruner} pruning)"
    )
    repeats = int(settings.get("repeats", 1))
    trained = f"for {plural(int(settings.get('epochs', 0)), 'epoch')}"
    if repeats > 1:
        trained += f", {repeats} times with different seeds of which the mean counts"
    return (
        f"{plural(len(settings.get('space', {})), 'parameter was', 'parameters were')} searched, each in the range "
        f"below, by Optuna's sampler {settings.get('sampler', 'tpe')}. Each trial trained {trained}, {stopping}. It "
        f"was judged by the recall at {count(int(settings.get('k', 0)))}: in each of "
        f"{plural(int(settings.get('folds', 0)), 'fold')}, a third of the {count(int(settings.get('references', 0)))} "
        f"references was hidden among {plural(int(settings.get('pool', 0)), 'galaxy', 'galaxies')} and searched for "
        "with the rest. The hidden mergers, which judge the model in the end, had no part in this."
    )


def _changes(
    trials: Mapping[int, FrozenTrial], verdict: Verdict, settings: Mapping[str, Any], parameters: Sequence[str]
) -> list[dict[str, str]]:
    def value(number: int | None, name: str) -> str:
        return NONE if number is None or name not in trials[number].params else short(trials[number].params[name])

    space = settings.get("space", {})
    return [
        {"name": name, "range": _range(space.get(name, {})), "now": value(verdict.baseline, name),
         "best": value(verdict.best, name)}
        for name in dict.fromkeys([*space, *parameters])
    ]


def _range(entry: Mapping[str, Any]) -> str:
    if "choices" in entry:
        return " or ".join(map(str, entry["choices"]))
    if "low" not in entry:
        return NONE
    step = f" in steps of {short(entry['step'])}" if entry.get("step") else ""
    return f"{short(entry['low'])} to {short(entry['high'])}{step}{', logarithmic' * bool(entry.get('log'))}"


def _line(
    row: Mapping[str, Any], trial: FrozenTrial, trials: Sequence[FrozenTrial], parameters: Sequence[str],
    front: Sequence[int],
) -> dict[str, Any]:
    spread = row["spread"] if row["spread"] is not None else row["fold_spread"]
    return {
        "number": trial.number,
        "state": state_words(trial, trials),
        "complete": trial.state == TrialState.COMPLETE,
        "baseline": row["baseline"],
        "on_front": trial.number in front,
        "recall": decimal(row["value"] if row["value"] is not None else row["last_recall"], 3),
        "spread": "" if spread is None else decimal(spread, 3),
        "size": row.get("embedding_size"),
        "epochs": row["epochs"],
        "time": "" if row["seconds"] is None else _duration(row["seconds"]),
        "reason": row["reason"] or "",
        "retry_of": row["retry_of"],
        "values": ["" if row[name] is None else short(row[name]) for name in parameters],
    }

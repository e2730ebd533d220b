"""Every figure of a sweep for which there is something to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial

from mergerscope.report.style import Panel
from mergerscope.sweep.landscape import contour_panels, importance_panel, importances, parallel_panel, slice_panels
from mergerscope.sweep.plots import history_panel, intermediate_panel, pareto_panel

__all__ = ["FIGURES", "Figure", "figures_of"]

FIGURES = ("history", "intermediate", "pareto", "importances", "parallel", "slice", "contour")
"""Their names."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Panels that belong together: a file, and a part of the page."""

    name: str
    panels: list[Panel]
    columns: int = 1


def figures_of(study: optuna.Study, trials: Sequence[FrozenTrial]) -> list[Figure]:
    """Return the figures of a study, those without anything to draw left out."""
    k = int(study.user_attrs.get("settings", {}).get("k", 0))
    shares = importances(study)
    slices, planes = slice_panels(trials, k), contour_panels(trials, k, shares)
    single = {
        "history": history_panel(trials, k),
        "intermediate": intermediate_panel(trials, k),
        "pareto": pareto_panel(trials, k),
        "importances": importance_panel(shares),
        "parallel": parallel_panel(trials, k),
    }
    found = [Figure(name, [panel]) for name, panel in single.items() if panel is not None]
    if slices:
        found.append(Figure("slice", slices, min(3, len(slices))))
    if planes:
        found.append(Figure("contour", planes, len(planes)))
    return found

"""What a sweep leaves behind: the best values, every trial, figures, and a page that shows them."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial

from mergerscope.counts import plural
from mergerscope.files import replacing, write_text
from mergerscope.report.style import save_panels
from mergerscope.sweep.figures import figures_of
from mergerscope.sweep.page import build_page
from mergerscope.sweep.rows import rows_csv
from mergerscope.sweep.verdict import Verdict, best_of, judge
from mergerscope.sweep.yaml_text import as_yaml

__all__ = ["BEST_FILE", "write_outcome"]

BEST_FILE = "best.yaml"

WIDTH = 110
"""Characters of a line of its comment."""


def write_outcome(study: optuna.Study, folder: Path, name: str) -> list[Path]:
    """Write ``best.yaml``, ``trials.csv``, ``report.html`` and ``figures/*.png`` from whatever the study now holds.

    Without a completed trial there is no best one, and no ``best.yaml``; figures are those that there is something to
    draw for. Files of an earlier call are replaced, or removed where they no longer hold.

    Args:
        study: With the user attribute ``settings``.
        folder: Of the sweep; made where it is missing.
        name: Of the study.

    Returns:
        The files written.
    """
    trials = study.get_trials(deepcopy=False)
    verdict = judge(trials)
    figures = figures_of(study, trials)
    written = [
        _write(folder / "trials.csv", rows_csv(trials)),
        _write(folder / "report.html", build_page(study, trials, verdict, figures, name)),
    ]
    best = folder / BEST_FILE
    if verdict.best is None:
        best.unlink(missing_ok=True)
    else:
        written.append(_write(best, _best_yaml(study, trials, verdict, name)))
    drawn = folder / "figures"
    for figure in figures:
        path = drawn / f"{figure.name}.png"
        with replacing(path) as fresh:
            save_panels(figure.panels, fresh, columns=figure.columns)
        written.append(path)
    for old in set(drawn.glob("*.png")) - set(written):
        old.unlink()
    return written


def _on_grid(value: Any, distribution: BaseDistribution) -> Any:
    """Undo what sums of steps in binary add to a value: 0.45 comes as 0.44999999999999996."""
    stepped = isinstance(distribution, FloatDistribution) and distribution.step is not None
    return round(value, 12) if stepped else value


def _best_yaml(study: optuna.Study, trials: list[FrozenTrial], verdict: Verdict, name: str) -> str:
    best = best_of(trials)
    assert best is not None
    k = study.user_attrs.get("settings", {}).get("k", "k")
    comment = [
        f"Sweep {name}, {plural(len(trials), 'trial')}: number {best.number} is best in recall at {k} of held-out "
        "references.",
        *wrap(verdict.sentence, WIDTH),
        f"Put these values into params.yaml with: mergerscope sweep apply {name}",
    ]
    values = {name: _on_grid(value, best.distributions[name]) for name, value in best.params.items()}
    lines = [f"# {line}" for line in comment] + [f"{name}: {as_yaml(value)}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> Path:
    write_text(path, text)
    return path

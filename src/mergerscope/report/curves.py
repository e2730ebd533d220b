"""Precision and recall over k, and the average precision of every row with its interval."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mergerscope.counts import count
from mergerscope.report.evaluation import Curve, Evaluation, Row
from mergerscope.report.findings import Noun
from mergerscope.report.style import COLOURS, DASHES, Panel, spread
from mergerscope.report.words import ENCODERS, encoder_name, percent, ranker_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["average_precision_panel", "curve_panel"]

LABELS_FROM = 1.03
"""Where the labels beside the axes begin, in widths of the axes."""


def curve_panel(evaluation: Evaluation, name: str, noun: Noun) -> Panel:
    """Precision or recall at k of every row, on a logarithmic k axis.

    The selected row and the best row of each other encoder are drawn in colour and named beside the axes, with
    their value at the k of the headline; the selected one has its interval. The rest are thin and grey, chance
    is dotted.

    Args:
        evaluation: with at least one curve.
        name: ``precision`` or ``recall``.
        noun: what is searched for.
    """
    row, k = evaluation.selected, evaluation.shown_k
    words = f"{name.capitalize()} at k against k for {len(evaluation.curves)} combinations of encoder and ranker."
    if row and k:
        words += f" The chosen one has {percent(row.at[f'{name}_at'][k].value)} at k = {k}."
    title = {
        "precision": f"Precision at k: how many of the first k are {noun.many}",
        "recall": f"Recall at k: how many hidden {noun.many} are among them",
    }[name]
    return Panel(f"{name}-at-k", partial(_draw_curves, evaluation=evaluation, name=name, title=title), words)


def _draw_curves(axes: Axes, evaluation: Evaluation, name: str, title: str) -> None:
    marked = {(row.encoder, row.ranker) for e in evaluation.encoders if (row := evaluation.best(e))}
    front = [curve for curve in evaluation.curves if (curve.encoder, curve.ranker) in marked]
    for curve in evaluation.curves:
        if curve not in front:
            axes.plot(curve.k, curve.columns[name], color=COLOURS["faint"], lw=0.6, zorder=1)
    for curve in front:
        colour, dash = _look(curve.encoder)
        if curve.selected:
            low, high = curve.columns[f"{name}_low"], curve.columns[f"{name}_high"]
            axes.fill_between(curve.k, low, high, color=colour, alpha=0.15, lw=0, zorder=2)
        width, height = (2.4, 4) if curve.selected else (1.2, 3)
        axes.plot(curve.k, curve.columns[name], color=colour, lw=width, ls=dash, zorder=height)
    chance = evaluation.chance_curve
    if chance is not None:
        axes.plot(chance.k, chance.columns[name], color=COLOURS["soft"], lw=1, ls=":", zorder=3)
        front = [*front, chance]
    axes.set_title(title)
    _finish(axes, evaluation, name)
    if evaluation.shown_k is not None:
        values = [_at(evaluation, curve, evaluation.shown_k, name) for curve in front]
        _name_lines(axes, front, values, evaluation.shown_k)


def _look(encoder: str) -> tuple[str, Any]:
    """Return colour and dash of an encoder; one that was imported under a name of its own is in the place of ours."""
    key = encoder.replace("_", "-") if encoder in ENCODERS else "trained"
    return COLOURS[key], DASHES[key]


def _finish(axes: Axes, evaluation: Evaluation, name: str) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter

    tops = [_top(curve, name) for curve in evaluation.curves]
    tops += [_top(curve, f"{name}_high") for curve in evaluation.curves if curve.selected]
    axes.set_ylim(0, min(1.02, 1.06 * max(tops)) or 1.0)
    first = min(curve.k[0] for curve in evaluation.curves)
    last = max(curve.k[-1] for curve in evaluation.curves)
    axes.set_xscale("log")
    axes.set_xlim(first, max(last, 2 * first))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(round(value))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol="\N{NO-BREAK SPACE}%"))
    axes.set_xlabel("k: galaxies looked at, best first")


def _top(curve: Curve, column: str) -> float:
    values = curve.columns[column]
    return float(np.max(values[np.isfinite(values)], initial=0.0))


def _name_lines(axes: Axes, curves: list[Curve], values: list[float], k: int) -> None:
    """Name the lines beside the axes, in the order that they have at ``k``, with their values there.

    Not at their ends: all lines end in one point, where k is the whole pool.
    """
    low, high = axes.get_ylim()
    axes.axvline(k, color=COLOURS["faint"], lw=0.8, zorder=0)
    places = spread(values, 0.085 * (high - low), low + 0.04 * (high - low), high - 0.12 * (high - low))
    beside = axes.get_yaxis_transform()
    for curve, value, place in zip(curves, values, places, strict=True):
        colour, dash = (COLOURS["soft"], ":") if curve.encoder == "chance" else _look(curve.encoder)
        width = 2.4 if curve.selected else 1.2
        ends = [LABELS_FROM, LABELS_FROM + 0.06]
        axes.plot(ends, [place, place], color=colour, lw=width, ls=dash, transform=beside, clip_on=False)
        text = f"{percent(value)}  {encoder_name(curve.encoder)}"
        weight = "bold" if curve.selected else "normal"
        axes.text(ends[1] + 0.02, place, text, transform=beside, va="center_baseline", weight=weight, color=colour,
                  size=7.5)
    axes.text(LABELS_FROM, high, f"at k = {count(k)}", transform=beside, va="top", color=COLOURS["soft"], size=7.5)


def _at(evaluation: Evaluation, curve: Curve, k: int, name: str) -> float:
    """What the table says at ``k``, which the points of the curve may skip."""
    for row in evaluation.rows:
        if (row.encoder, row.ranker) == (curve.encoder, curve.ranker):
            return row.at[f"{name}_at"][k].value or 0.0
    return float(np.interp(k, curve.k, curve.columns[name]))


def average_precision_panel(evaluation: Evaluation) -> Panel:
    """Average precision of every row with its interval, grouped by encoder, with chance as a line."""
    groups = [(e, sorted((r for r in evaluation.rows if r.encoder == e), key=_by_value)) for e in _encoders(evaluation)]
    lines = sum(len(rows) + 1 for _, rows in groups)
    words = f"Average precision with its interval for {len(evaluation.rows)} combinations of encoder and ranker."
    row = evaluation.selected
    if row and row.average_precision.value is not None:
        words += f" The chosen one has {row.average_precision.value:.2f}."
    draw = partial(_draw_average_precision, groups=groups, chance=evaluation.chance)
    return Panel("average-precision", draw, words, height=0.55 + 0.17 * lines)


def _encoders(evaluation: Evaluation) -> list[str]:
    known = [row.encoder for row in evaluation.rows]
    return [e for e in ENCODERS if e in known] + sorted(set(known) - set(ENCODERS))


def _by_value(row: Row) -> float:
    return -(row.average_precision.value or 0.0)


def _draw_average_precision(axes: Axes, groups: list[tuple[str, list[Row]]], chance: float | None) -> None:
    lines = [(encoder, row) for encoder, rows in groups for row in (None, *rows)]
    names = [encoder_name(encoder) if row is None else ranker_name(row.ranker) for encoder, row in lines]
    axes.set_yticks(range(len(lines)), names)
    for place, ((encoder, row), label) in enumerate(zip(lines, axes.get_yticklabels(), strict=True)):
        colour = COLOURS.get(encoder.replace("_", "-"), COLOURS["ink"])
        if row is None:
            label.set(color=colour, weight="bold")
        elif row.average_precision.value is not None:
            _draw_row(axes, row, place, colour)
    if chance is not None:
        axes.axvline(chance, color=COLOURS["soft"], lw=1, ls=":", zorder=0)
        axes.annotate("chance", (chance, len(lines)), (3, 0), textcoords="offset points", color=COLOURS["soft"])
    axes.set_ylim(len(lines) + 0.3, -0.6)
    axes.set_xlim(left=0)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("average precision")


def _draw_row(axes: Axes, row: Row, place: int, colour: str) -> None:
    value, low, high = row.average_precision.value or 0.0, row.average_precision.low, row.average_precision.high
    if low is not None and high is not None:
        axes.plot([low, high], [place, place], color=colour, lw=2.4 if row.selected else 1)
    axes.plot([value], [place], "o", color=colour, zorder=3, markersize=7 if row.selected else 4,
              markerfacecolor=colour if row.selected else COLOURS["paper"])
    if row.selected:
        axes.annotate("chosen", (high or value, place), (5, 0), textcoords="offset points", color=colour,
                      weight="bold", va="center_baseline")

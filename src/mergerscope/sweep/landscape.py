"""How recall depends on the parameters: which matter, and where in the space the good trials lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from mergerscope.counts import plural
from mergerscope.report.style import COLOURS, Panel
from mergerscope.report.words import percent
from mergerscope.sweep.plots import BASELINE, BEST, DONE, PRUNED
from mergerscope.sweep.scale import Scale, scales
from mergerscope.sweep.verdict import best_of, recall_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["contour_panels", "importance_panel", "importances", "parallel_panel", "slice_panels"]

Array = np.ndarray[Any, Any]

FEWEST = 6
"""Completed trials that an importance or a smoothed plane is made from at least."""
PLANES = 3
"""Of the most important parameters, so many are paired."""
CROWDED = 30
"""Characters of all choices below an axis from which on they are slanted."""
WIDTH = 0.14
"""Standard deviation of the smoothing of a plane, in widths of the plane."""
FAR = 0.2
"""Weight of the mean of all trials in it, where a trial at the place itself has 1."""


def importances(study: optuna.Study) -> dict[str, float]:
    """Return which share of recall's variance each parameter explains, the largest first.

    fANOVA (Hutter, Hoos & Leyton-Brown 2014, ICML) on the completed trials. Empty where fewer than six are complete or
    where all have one recall: then there is nothing to explain.
    """
    values = [recall_of(trial) for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))]
    if len(values) < FEWEST or np.ptp(values) == 0:
        return {}
    found = get_param_importances(
        study, evaluator=FanovaImportanceEvaluator(seed=0), target=lambda trial: float(trial.values[0])
    )
    return {name: float(value) for name, value in sorted(found.items(), key=lambda item: -item[1])}


def importance_panel(shares: Mapping[str, float]) -> Panel | None:
    """A bar for each parameter; None where nothing is known of them."""
    if not shares:
        return None
    words = f"Importance of each parameter: {', '.join(f'{name} {percent(share)}' for name, share in shares.items())}."
    return Panel("importances", partial(_draw_importances, shares=shares), words, 4.9, 0.75 + 0.27 * len(shares))


def _draw_importances(axes: Axes, shares: Mapping[str, float]) -> None:
    places = range(len(shares))
    axes.barh(places, list(shares.values()), color=COLOURS["trained"], height=0.55)
    axes.set_yticks(places, list(shares))
    for place, share in enumerate(shares.values()):
        axes.annotate(percent(share), (share, place), (4, 0), textcoords="offset points", va="center_baseline",
                      size=7.5, color=COLOURS["soft"])
    axes.set_ylim(len(shares) - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * max(shares.values()))
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_title("Share of recall's variance by parameter")


def slice_panels(trials: Sequence[FrozenTrial], k: int) -> list[Panel]:
    """Recall against each parameter; none without a completed trial."""
    done = _complete(trials)
    if not done:
        return []
    return [
        Panel(f"slice-{number}", partial(_draw_slice, scale=scale, trials=trials, k=k, legend=number == 0),
              f"Recall at {k} against {scale.name} for {plural(len(done), 'completed trial')}.", 3.2, 2.5)
        for number, scale in enumerate(scales(done))
    ]


def _draw_slice(axes: Axes, scale: Scale, trials: Sequence[FrozenTrial], k: int, legend: bool) -> None:
    best = best_of(trials)
    stopped = [
        (scale.place(trial.params[scale.name]), trial.intermediate_values[max(trial.intermediate_values)])
        for trial in trials
        if trial.state == TrialState.PRUNED and trial.intermediate_values and scale.name in trial.params
    ]
    if stopped:
        axes.plot(*zip(*stopped, strict=True), **PRUNED | {"alpha": 0.6}, label="pruned")
    for trial in _complete(trials):
        x, y = scale.place(trial.params[scale.name]), recall_of(trial)
        axes.plot([x], [y], **(BASELINE if trial.user_attrs.get("baseline") else DONE), zorder=3)
        if best is not None and trial.number == best.number:
            axes.plot([x], [y], **BEST, zorder=4)
    if legend:
        axes.plot([], [], **DONE, label="complete")
        axes.plot([], [], **BASELINE, label="present")
        axes.plot([], [], **BEST, label="best")
        axes.legend(frameon=False, fontsize=6.5, ncols=4, loc="upper left", bbox_to_anchor=(-0.04, -0.1),
                    handletextpad=0.1, columnspacing=0.9)
    axes.set_title(scale.name)
    axes.set_ylabel(f"recall at {k}")
    axes.margins(y=0.1)
    _ticks(axes, scale, "x")


def parallel_panel(trials: Sequence[FrozenTrial], k: int) -> Panel | None:
    """Every completed trial as a line through its values, darker with more recall; None with fewer than two."""
    done = _complete(trials)
    if len(done) < 2:
        return None
    axes = scales(done)
    words = f"The values of {plural(len(done), 'completed trial')} in {plural(len(axes), 'parameter')}, and the recall."
    draw = partial(_draw_parallel, trials=done, across=axes, k=k)
    return Panel("parallel", draw, words, max(4.9, 1.55 * (len(axes) + 1)), 3.3)


def _draw_parallel(axes: Axes, trials: Sequence[FrozenTrial], across: Sequence[Scale], k: int) -> None:
    recalls = [recall_of(trial) for trial in trials]
    low, high = min(recalls), max(recalls)
    all_of = [*across, Scale(f"recall at {k}", low, high)]
    best = best_of(trials)
    ground = {"fc": COLOURS["paper"], "ec": "none", "alpha": 0.75, "pad": 0.8}
    for trial, recall in sorted(zip(trials, recalls, strict=True), key=lambda pair: pair[1]):
        y = [scale.place(trial.params[scale.name]) for scale in across] + [all_of[-1].place(recall)]
        strength = 0.5 if high <= low else (recall - low) / (high - low)
        look: dict[str, Any] = {"color": COLOURS["trained"], "lw": 1.1, "alpha": 0.15 + 0.6 * strength}
        if best is not None and trial.number == best.number:
            look = {"color": COLOURS["trained"], "lw": 2.6}
        if trial.user_attrs.get("baseline"):
            look = {"color": COLOURS["untrained"], "lw": 1.8, "ls": (0, (5, 1.5))}
        axes.plot(range(len(all_of)), y, **look)
    for x, scale in enumerate(all_of):
        axes.axvline(x, color=COLOURS["faint"], lw=0.8, zorder=0)
        for place, label in scale.ticks():
            axes.annotate(label, (x, place), (4, 0), textcoords="offset points", size=6.5, color=COLOURS["soft"],
                          va="center_baseline", zorder=6, bbox=ground)
        axes.annotate(scale.name.replace(".", ".\n"), (x, 1.0), (0, 8), textcoords="offset points", size=7.5,
                      ha="center", va="bottom", annotation_clip=False)
    axes.set_xlim(-0.25, len(all_of) - 0.6)
    axes.set_ylim(-0.04, 1.04)
    axes.set_axis_off()


def contour_panels(trials: Sequence[FrozenTrial], k: int, shares: Mapping[str, float]) -> list[Panel]:
    """Recall over the planes of the most important parameters: trials as points, their smoothed recall behind them."""
    done = _complete(trials)
    if len(done) < FEWEST:
        return []
    order = list(shares)
    found = sorted(scales(done), key=lambda scale: order.index(scale.name) if scale.name in order else len(order))
    return [
        Panel(f"contour-{number}", partial(_draw_plane, trials=trials, across=one, up=other),
              f"Recall at {k} over {one.name} and {other.name}: the darker, the higher.", 4.2, 3.2)
        for number, (one, other) in enumerate(combinations(found[:PLANES], 2))
    ]


def _draw_plane(axes: Axes, trials: Sequence[FrozenTrial], across: Scale, up: Scale) -> None:
    from matplotlib.colors import to_rgba

    for trial in trials:
        if trial.state == TrialState.PRUNED and across.name in trial.params and up.name in trial.params:
            at = across.place(trial.params[across.name]), up.place(trial.params[up.name])
            axes.plot(*([place] for place in at), **PRUNED | {"alpha": 0.6}, zorder=2)
    done = _complete(trials)
    x = np.array([across.place(trial.params[across.name]) for trial in done])
    y = np.array([up.place(trial.params[up.name]) for trial in done])
    recall = np.array([recall_of(trial) for trial in done])
    if np.ptp(recall) > 0 and not (across.choices or up.choices):
        grid, smooth = _smoothed(x, y, recall)
        levels = np.linspace(recall.min(), recall.max(), 11)
        shades = [to_rgba(COLOURS["trained"], alpha) for alpha in np.linspace(0.02, 0.45, len(levels) - 1)]
        axes.contourf(grid, grid, smooth, levels=levels, colors=shades, zorder=0)
    strength = np.full(len(recall), 0.5) if np.ptp(recall) == 0 else (recall - recall.min()) / np.ptp(recall)
    best = best_of(trials)
    for trial, place_x, place_y, alpha in zip(done, x, y, strength, strict=True):
        if trial.user_attrs.get("baseline"):
            axes.plot([place_x], [place_y], **BASELINE | {"ms": 6}, zorder=3)
        else:
            axes.plot([place_x], [place_y], **DONE | {"ms": 6, "mec": COLOURS["trained"], "mfc": COLOURS["paper"]})
            axes.plot([place_x], [place_y], **DONE | {"ms": 6, "alpha": alpha}, zorder=3)
        if best is not None and trial.number == best.number:
            axes.plot([place_x], [place_y], **BEST | {"ms": 11}, zorder=4)
    axes.set_xlabel(across.name)
    axes.set_ylabel(up.name)
    axes.grid(visible=False)
    _ticks(axes, across, "x")
    _ticks(axes, up, "y")


def _smoothed(x: Array, y: Array, recall: Array) -> tuple[Array, Array]:
    """Return a grid and the Gaussian-weighted mean recall on it; far from any trial the mean of all."""
    grid = np.linspace(0, 1, 81)
    squared = (grid[None, :, None] - x) ** 2 + (grid[:, None, None] - y) ** 2
    weight = np.exp(-squared / (2 * WIDTH**2))
    return grid, ((weight * recall).sum(axis=-1) + FAR * recall.mean()) / (weight.sum(axis=-1) + FAR)


def _ticks(axes: Axes, scale: Scale, which: str) -> None:
    places, labels = zip(*scale.ticks(), strict=True)
    if which == "x":
        axes.set_xticks(places, labels)
        if scale.choices and sum(map(len, labels)) > CROWDED:
            axes.tick_params(axis="x", labelrotation=25)
        axes.set_xlim(-0.05, 1.05)
    else:
        axes.set_yticks(places, labels)
        axes.set_ylim(-0.05, 1.05)


def _complete(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.state == TrialState.COMPLETE]

"""How a sweep went, trial by trial and epoch by epoch, and what recall costs in embedding size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from mergerscope.counts import plural
from mergerscope.report.style import COLOURS, Panel, spread
from mergerscope.sweep.scale import Scale, short
from mergerscope.sweep.verdict import best_of, recall_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["front_of", "history_panel", "intermediate_panel", "pareto_panel"]

NOW = "present settings"
DONE: dict[str, Any] = {"color": COLOURS["trained"], "ls": "", "marker": "o", "ms": 4.5}
PRUNED: dict[str, Any] = {"color": COLOURS["soft"], "ls": "", "marker": "x", "ms": 4, "mew": 1}
BEST: dict[str, Any] = {"color": COLOURS["trained"], "ls": "", "marker": "o", "ms": 9, "mfc": "none", "mew": 1.4}
BASELINE: dict[str, Any] = {"color": COLOURS["untrained"], "ls": "", "marker": "D", "ms": 5}


def history_panel(trials: Sequence[FrozenTrial], k: int) -> Panel | None:
    """Recall of every trial in the order in which they began, and the best so far; None without a completed one."""
    best = best_of(trials)
    if best is None:
        return None
    words = (
        f"Recall at {k} of {plural(len(_in(trials, TrialState.COMPLETE)), 'completed trial')} by number. "
        f"The best, trial {best.number}, has {recall_of(best):.3f}."
    )
    return Panel("history", partial(_draw_history, trials=trials, k=k), words, 4.9, 3.1)


def _draw_history(axes: Axes, trials: Sequence[FrozenTrial], k: int) -> None:
    done, pruned, failed = (_in(trials, state) for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    best = best_of(trials)
    assert best is not None
    numbers = [trial.number for trial in done]
    values = [recall_of(trial) for trial in done]
    last = max(trial.number for trial in trials)
    axes.step([*numbers, last], [*np.maximum.accumulate(values), max(values)], where="post", color=COLOURS["trained"],
              lw=1, alpha=0.6, zorder=1)
    spreads = [float(np.std(repeats, ddof=1)) if len(repeats) > 1 else 0.0 for repeats in map(_repeats, done)]
    if any(spreads):
        axes.errorbar(numbers, values, yerr=spreads, ls="", color=COLOURS["trained"], elinewidth=0.8, zorder=2)
    others = [trial for trial in done if not trial.user_attrs.get("baseline")]
    axes.plot([trial.number for trial in others], [recall_of(trial) for trial in others], **DONE, label="complete")
    stopped = [(trial.number, value) for trial in pruned if (value := _last(trial)) is not None]
    if stopped:
        axes.plot(*zip(*stopped, strict=True), **PRUNED, label="pruned, when it was stopped")
    if failed:
        axes.plot([trial.number for trial in failed], [0.0] * len(failed), color=COLOURS["moco-references"], ls="",
                  marker="|", ms=8, mew=1.4, transform=axes.get_xaxis_transform(), clip_on=False, label="failed")
    _draw_baseline(axes, trials)
    axes.plot([best.number], [recall_of(best)], **BEST, label=f"best: trial {best.number}")
    axes.set_title("Recall of every trial")
    axes.set_xlabel("trial")
    axes.set_ylabel(f"recall at {k}")
    axes.set_xlim(-0.6, last + 0.6)
    _whole_numbers(axes)
    _room_below_for_legend(axes)


def intermediate_panel(trials: Sequence[FrozenTrial], k: int) -> Panel | None:
    """Recall of every trial by epoch; None where no trial reached two epochs."""
    shown = [trial for trial in trials if trial.intermediate_values]
    if max((len(trial.intermediate_values) for trial in shown), default=0) < 2:
        return None
    words = (
        f"Recall at {k} by epoch for {plural(len(shown), 'trial')}, of which "
        f"{plural(len(_in(shown, TrialState.PRUNED)), 'was', 'were')} stopped early."
    )
    return Panel("intermediate", partial(_draw_intermediate, trials=shown, k=k), words, 4.9, 3.1)


def _draw_intermediate(axes: Axes, trials: Sequence[FrozenTrial], k: int) -> None:
    best = best_of(trials)
    ends: list[tuple[float, str, str]] = []
    for trial in trials:
        steps, values = zip(*sorted(trial.intermediate_values.items()), strict=True)
        is_best = best is not None and trial.number == best.number
        if trial.user_attrs.get("baseline"):
            axes.plot(steps, values, color=COLOURS["untrained"], lw=2, ls=(0, (5, 1.5)), zorder=5)
            ends.append((values[-1], NOW + ", best" * is_best, COLOURS["untrained"]))
        elif is_best:
            axes.plot(steps, values, color=COLOURS["trained"], lw=2.4, zorder=4)
            ends.append((values[-1], f"best: trial {trial.number}", COLOURS["trained"]))
        elif trial.state == TrialState.PRUNED:
            axes.plot(steps, values, color=COLOURS["soft"], lw=0.8, alpha=0.7, zorder=2)
            axes.plot(steps[-1:], values[-1:], **PRUNED, zorder=3)
        else:
            axes.plot(steps, values, color=COLOURS["trained"], lw=0.9, alpha=0.5, zorder=2)
    axes.set_title("Recall by epoch; a cross where a trial was pruned")
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"recall at {k}")
    _whole_numbers(axes)
    low, high = axes.get_ylim()
    places = spread([value for value, _, _ in ends], 0.07 * (high - low), low, high)
    for (_, name, colour), place in zip(ends, places, strict=True):
        axes.text(1.02, place, name, transform=axes.get_yaxis_transform(), color=colour, va="center_baseline", size=7.5)


def front_of(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the completed trials that no other one beats in both recall and embedding size, the smallest first."""
    done = [trial for trial in _in(trials, TrialState.COMPLETE) if len(trial.values) > 1]
    front: list[FrozenTrial] = []
    for trial in sorted(done, key=lambda trial: (trial.values[1], -trial.values[0], trial.number)):
        if not front or trial.values[0] > front[-1].values[0]:
            front.append(trial)
    return front


def pareto_panel(trials: Sequence[FrozenTrial], k: int) -> Panel | None:
    """Recall against embedding size with the Pareto front; None where the size was no objective."""
    front = front_of(trials)
    if not front:
        return None
    parts = [f"{trial.values[0]:.3f} at {short(trial.values[1])}" for trial in front]
    words = f"Recall at {k} against embedding size. On the Pareto front: {', '.join(parts)}."
    return Panel("pareto", partial(_draw_pareto, trials=trials, front=front, k=k), words, 4.9, 3.1)


def _draw_pareto(axes: Axes, trials: Sequence[FrozenTrial], front: Sequence[FrozenTrial], k: int) -> None:
    done = [trial for trial in _in(trials, TrialState.COMPLETE) if len(trial.values) > 1]
    sizes = [trial.values[1] for trial in done]
    scale = Scale("embedding_dim", min(sizes), max(sizes), log=max(sizes) > min(sizes))
    on = {trial.number for trial in front}
    for trial in done:
        if not trial.user_attrs.get("baseline"):
            hollow = {} if trial.number in on else {"mfc": COLOURS["paper"]}
            axes.plot([scale.place(trial.values[1])], [trial.values[0]], **DONE | hollow, zorder=3)
    x = [scale.place(trial.values[1]) for trial in front]
    axes.step([*x, 1.0], [*(trial.values[0] for trial in front), front[-1].values[0]], where="post",
              color=COLOURS["trained"], lw=1.2, alpha=0.7, zorder=2)
    for place, trial in zip(x, front, strict=True):
        axes.annotate(str(trial.number), (place, trial.values[0]), (0, 5), textcoords="offset points", ha="center",
                      size=7, color=COLOURS["trained"])
    for trial in done:
        if trial.user_attrs.get("baseline"):
            axes.plot([scale.place(trial.values[1])], [trial.values[0]], **BASELINE, zorder=4, label=NOW)
    axes.set_title("Recall against embedding size; filled: on the Pareto front")
    axes.set_xlabel("numbers in an embedding")
    axes.set_ylabel(f"recall at {k}")
    places, labels = zip(*scale.ticks(), strict=True)
    axes.set_xticks(places, labels)
    axes.set_xlim(-0.05, 1.05)
    axes.margins(y=0.12)
    axes.legend(frameon=False, fontsize=7.5, loc="best")


def _draw_baseline(axes: Axes, trials: Sequence[FrozenTrial]) -> None:
    baseline = best_of([trial for trial in trials if trial.user_attrs.get("baseline")])
    if baseline is not None:
        axes.axhline(recall_of(baseline), color=COLOURS["untrained"], lw=1, ls=(0, (5, 1.5)), zorder=0)
        axes.plot([baseline.number], [recall_of(baseline)], **BASELINE, zorder=4, label=NOW)


def _in(trials: Sequence[FrozenTrial], state: TrialState) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.state == state]


def _last(trial: FrozenTrial) -> float | None:
    values = trial.intermediate_values
    value = values[max(values)] if values else math.nan
    return value if math.isfinite(value) else None


def _repeats(trial: FrozenTrial) -> list[float]:
    return [value for value in trial.user_attrs.get("recalls") or [] if value is not None]


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))


def _room_below_for_legend(axes: Axes) -> None:
    axes.legend(frameon=False, fontsize=7.5, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.17))

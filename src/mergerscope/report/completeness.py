"""Injection and recovery, as `mergerscope completeness` left it: a panel for each quantity, and what to say."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mergerscope.counts import count
from mergerscope.errors import ContractError, MissingInputError
from mergerscope.paths import Paths
from mergerscope.report.evaluation import read_json
from mergerscope.report.findings import Noun
from mergerscope.report.style import COLOURS, Panel
from mergerscope.report.words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLUMNS", "Completeness", "Point", "completeness_panels", "load_completeness", "read_curves"]

COLUMNS = (
    "quantity", "low", "high", "median", "k", "number", "recovered", "fraction", "wilson_low", "wilson_high",
)  # fmt: skip
"""Of ``curves.csv``."""

PANELS = {
    "mass_ratio": ("Mass ratio, smaller to larger galaxy", True),
    "separation_half_light_radii": ("Separation on the sky, half-light radii", False),
    "time_since_pericentre_gyr": ("Time since first pericentre, Gyr", False),
    "host_brightness": ("Displayed light of the galaxy replaced, white pixels", True),
}
"""What is drawn: the words at its axis, and whether that is logarithmic."""
LINES = (("trained", "-", "o"), ("untrained", (0, (5, 1.5)), "s"), ("rgb-pixels", (0, (1, 1.2)), "^"))
"""Colour, dash and marker by depth."""


@dataclass(frozen=True, slots=True)
class Point:
    """One line of ``curves.csv``."""

    quantity: str
    low: float
    high: float
    median: float
    k: int
    number: int
    recovered: int
    fraction: float
    wilson_low: float
    wilson_high: float


@dataclass(frozen=True, slots=True)
class Completeness:
    """What the section shows."""

    panels: list[Panel]
    metrics: dict[str, Any]
    gallery: bytes
    """A PNG of found and missed ones."""

    def sentence(self, noun: Noun) -> str:
        """The conclusion, with figures."""
        every, single = self.metrics["recovered"]["all"], self.metrics["single_galaxies"]
        first, last = self.metrics["k"][0], self.metrics["k"][-1]
        shares = " and ".join(
            f"{_share(every['at'][str(k)])} among the first {count(k)}" for k in dict.fromkeys((first, last))
        )
        chance = percent(min(1.0, last / self.metrics["candidates"]))
        return (
            f"Of {count(every['number'])} injected {noun.many}, {shares} of {count(self.metrics['candidates'])} "
            f"candidates; chance would put {chance} among the first {count(last)}. Of {count(single['number'])} single "
            f"galaxies painted in the same way, {_share(single['at'][str(last)])} came as high: what painting alone "
            "brings about."
        )


def load_completeness(paths: Paths, receipt: dict[str, Any], ranker: str) -> Completeness:
    """Read ``results/completeness``.

    Args:
        paths: of the project.
        receipt: of the champion.
        ranker: the one that made the candidates.

    Raises:
        MissingInputError: `mergerscope completeness` has not been run.
        ContractError: it was run with another model or ranker, or a file lacks something.
    """
    folder = paths.completeness_results
    for name in ("metrics.json", "curves.csv", "gallery.png"):
        if not (folder / name).is_file():
            raise MissingInputError(folder / name, "completeness", asked_by="report.completeness")
    metrics = read_json(folder / "metrics.json", "completeness")
    needed = {"k", "candidates", "recovered", "single_galaxies", "ranker", "weights_sha256", "sky_electrons"}
    missing = needed - set(metrics)
    if missing:
        raise ContractError(
            f"{folder / 'metrics.json'} lacks {', '.join(sorted(missing))}. Run `mergerscope completeness` again."
        )
    now = (receipt["weights_sha256"], ranker)
    if (metrics["weights_sha256"], metrics["ranker"]) != now:
        raise ContractError(
            f"{folder} tells of the weights {metrics['weights_sha256'][:12]} with the ranker {metrics['ranker']}, and "
            f"the candidates come from {now[0][:12]} with {now[1]}. Run `mergerscope completeness` again."
        )
    return Completeness(
        completeness_panels(read_curves(folder / "curves.csv")), metrics,
        (folder / "gallery.png").read_bytes(),
    )


def read_curves(path: Path) -> list[Point]:
    """Read ``curves.csv``.

    Raises:
        ContractError: it has other columns, no line, or something that is no number in one.
    """
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        if tuple(table.fieldnames or ()) != COLUMNS:
            raise ContractError(
                f"{path} has the columns {table.fieldnames}, expected {list(COLUMNS)}. Run `mergerscope completeness`."
            )
        try:
            points = [
                Point(
                    quantity=line["quantity"],
                    low=float(line["low"]),
                    high=float(line["high"]),
                    median=float(line["median"]),
                    k=int(line["k"]),
                    number=int(line["number"]),
                    recovered=int(line["recovered"]),
                    fraction=float(line["fraction"]),
                    wilson_low=float(line["wilson_low"]),
                    wilson_high=float(line["wilson_high"]),
                )
                for line in table
            ]
        except (TypeError, ValueError) as error:
            raise ContractError(f"{path}: {error}. Run `mergerscope completeness` again.") from None
    if not points:
        raise ContractError(f"{path} holds no line but its header. Run `mergerscope completeness` again.")
    return points


def completeness_panels(points: Sequence[Point]) -> list[Panel]:
    """The share recovered against each quantity of `PANELS`, a line for each depth, with intervals."""
    panels: list[Panel] = []
    for quantity, (words, logarithmic) in PANELS.items():
        mine = [point for point in points if point.quantity == quantity]
        deepest = [point for point in mine if point.k == max(other.k for other in mine)]
        ends = f"{percent(deepest[0].fraction)} at the lower and {percent(deepest[-1].fraction)} at the upper end"
        alt = f"Share of injected mergers recovered against: {words}. Among the first {deepest[0].k}: {ends}."
        draw = partial(_draw, points=mine, words=words, logarithmic=logarithmic, legend=not panels)
        panels.append(Panel(f"completeness-{quantity.replace('_', '-')}", draw, alt, 4.2, 2.9))
    return panels


def _draw(axes: Axes, points: Sequence[Point], words: str, logarithmic: bool, legend: bool) -> None:
    from matplotlib.ticker import PercentFormatter

    for k, (colour, dash, marker) in zip(sorted({point.k for point in points}), LINES, strict=False):
        mine = [point for point in points if point.k == k]
        x = [point.median for point in mine]
        share = [point.fraction for point in mine]
        below = [max(0.0, point.fraction - point.wilson_low) for point in mine]
        above = [max(0.0, point.wilson_high - point.fraction) for point in mine]
        axes.errorbar(
            x, share, yerr=[below, above], color=COLOURS[colour], ls=dash, marker=marker, ms=3.5, lw=1.4,
            elinewidth=0.9, label=f"first {count(k)}",
        )
    if logarithmic:
        _logarithmic(axes, min(point.median for point in points), max(point.median for point in points))
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol="\N{NO-BREAK SPACE}%"))
    axes.set_xlabel(words)
    if legend:
        axes.set_title("Injected mergers recovered")
        axes.legend(frameon=False, fontsize=7.5, loc="best")


def _logarithmic(axes: Axes, low: float, high: float) -> None:
    """A logarithmic axis with plain numbers, a few of 1, 2 and 5 times powers of ten."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    ticks = [step * 10.0**power for power in range(-4, 6) for step in (1, 2, 3, 5, 7)]
    inside = [tick for tick in ticks if 0.9 * low <= tick <= 1.1 * high]
    axes.xaxis.set_major_locator(FixedLocator(inside or [low]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _share(at: dict[str, Any]) -> str:
    return f"{percent(at['fraction'])} ({percent(at['low'])} to {percent(at['high'])})"

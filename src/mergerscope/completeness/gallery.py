"""Injected mergers that were found, and some that were missed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mergerscope.counts import count
from mergerscope.report.images import as_picture
from mergerscope.report.style import NIGHT, new_figure, save_png
from mergerscope.simulate.mergers import Merger

__all__ = ["picked", "save_gallery"]

Array = NDArray[Any]

COLUMNS = 8
ROWS = 3
"""Of those found, and again of those missed."""
SIDE_INCH = 1.15


def picked(ranks: Array, k: int, found: bool) -> Array:
    """Return up to a block of numbers of injected mergers, spread evenly over the ranks, best rank first."""
    numbers = np.flatnonzero((ranks <= k) == found)
    numbers = numbers[np.argsort(ranks[numbers], kind="stable")]
    shown = min(len(numbers), ROWS * COLUMNS)
    return numbers[np.linspace(0, len(numbers) - 1, shown).round().astype(int)] if shown else numbers


def save_gallery(images: NDArray[np.uint8], mergers: Sequence[Merger], ranks: Array, k: int, path: Path) -> None:
    """Draw those found among the first ``k`` above those missed, each with its rank, mass ratio and time."""
    blocks = [(f"Found among the first {count(k)}", picked(ranks, k, True)), ("Missed", picked(ranks, k, False))]
    height = 2 * (ROWS * SIDE_INCH + 0.35)
    with new_figure(COLUMNS * SIDE_INCH, height, **{"figure.facecolor": NIGHT["sky"]}) as figure:
        parts: Any = figure.subfigures(2, 1)
        for part, (title, numbers) in zip(parts, blocks, strict=True):
            part.set_facecolor(NIGHT["sky"])
            these = int(np.sum((ranks <= k) == (title != "Missed")))
            share = f"{title}: {count(these)} of {count(len(ranks))}"
            part.suptitle(share, color=NIGHT["ink"], size=9, weight="bold")
            for place, axes in enumerate(part.subplots(ROWS, COLUMNS).ravel()):
                axes.axis("off")
                if place < len(numbers):
                    number = int(numbers[place])
                    axes.imshow(as_picture(images[number]), interpolation="nearest")
                    axes.set_title(_caption(mergers[number], int(ranks[number])), color=NIGHT["soft"], size=5.5, pad=2,
                                   loc="center", weight="normal")
        save_png(figure, path)


def _caption(merger: Merger, rank: int) -> str:
    truth = merger.truth
    sign = "\N{MINUS SIGN}" if truth.time_since_pericentre_gyr < 0 else "+"
    return f"#{count(rank)}  1:{1 / truth.mass_ratio:.1f}  {sign}{abs(truth.time_since_pericentre_gyr):.2f} Gyr"

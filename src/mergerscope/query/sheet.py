"""The contact sheet: what was searched for above what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mergerscope.counts import count
from mergerscope.files import replacing
from mergerscope.report.images import thumbnail
from mergerscope.report.style import NIGHT, new_figure, save_png

__all__ = ["SHOWN", "Tile", "save_contact_sheet"]

Array = np.ndarray[Any, Any]

COLUMNS = 8
SHOWN = {"queries": 16, "found": 96}
"""Pictures of each block at most."""
SIDE_INCH = 1.15
TITLE_INCH = 0.4
LONGEST = 22
"""Letters of a name, such as a file's, that stand beside each other above a picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture, (C, H, W), with two short lines above it."""

    image: Array
    name: str
    below: str


def save_contact_sheet(queries: Sequence[Tile], found: Sequence[Tile], path: Path, more: tuple[int, int]) -> None:
    """Draw the queries above the galaxies that are like them, and write one PNG, whole or not at all.

    Args:
        queries: at most as many as `SHOWN` says.
        found: likewise.
        path: of the PNG.
        more: how many queries and galaxies there are beyond those.
    """
    blocks = [(_title("Searched for", len(queries), more[0]), queries), (_title("Found", len(found), more[1]), found)]
    lines = [-(-len(tiles) // COLUMNS) for _, tiles in blocks]
    heights = [rows * SIDE_INCH * 1.2 + TITLE_INCH for rows in lines]
    night = {"figure.facecolor": NIGHT["sky"], "savefig.facecolor": NIGHT["sky"]}
    with new_figure(COLUMNS * SIDE_INCH, sum(heights), **night) as figure:
        parts: Any = figure.subfigures(2, 1, height_ratios=heights)
        for part, (title, tiles), rows in zip(parts, blocks, lines, strict=True):
            part.set_facecolor(NIGHT["sky"])
            part.suptitle(title, color=NIGHT["ink"], size=9, weight="bold", x=0.01, ha="left")
            for place, axes in enumerate(np.ravel(part.subplots(rows, COLUMNS))):
                axes.axis("off")
                if place < len(tiles):
                    tile = tiles[place]
                    axes.imshow(thumbnail(tile.image), interpolation="nearest")
                    axes.set_title(f"{_short(tile.name)}\n{tile.below}", color=NIGHT["soft"], size=5.5, pad=2,
                                   loc="center", weight="normal")
        with replacing(path) as fresh:
            save_png(figure, fresh)


def _title(what: str, shown: int, more: int) -> str:
    return f"{what}: {count(shown + more)}" + (f", of which the first {shown} are shown" if more else "")


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 8]}...{name[-5:]}"

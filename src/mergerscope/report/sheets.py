"""Contact sheets of what the network saw in training: views of galaxies, synthetic pairs and impostors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mergerscope.counts import plural
from mergerscope.report.images import data_uri, png_bytes, sheet, thumbnail
from mergerscope.report.training import Training

__all__ = ["Sheet", "pairs_sheet", "views_sheet"]

Array = np.ndarray[Any, Any]

ROWS = 4
COLUMNS = 8
SIDE = 128


@dataclass(frozen=True, slots=True)
class Sheet:
    """One picture made of many, for the page (a data URI) and for a file (pixels by row)."""

    picture: str
    alt: str
    rows: list[list[Array]]


def views_sheet(training: Training) -> Sheet | None:
    """A row a galaxy: as it is, then its views; None where training kept none."""
    views = training.samples.get("views")
    if views is None:
        return None
    rows = [[thumbnail(view, SIDE) for view in galaxy[:COLUMNS]] for galaxy in views[:ROWS]]
    alt = f"{plural(len(rows), 'galaxy', 'galaxies')}, each as it is and in {plural(len(rows[0]) - 1, 'random view')}"
    return _sheet(rows, alt)


def pairs_sheet(training: Training) -> Sheet | None:
    """Synthetic pairs above, singles and impostors below; None where the objective makes no pairs."""
    rows = [
        [thumbnail(image, SIDE) for image in training.samples[name][:COLUMNS]]
        for name in ("pairs_positive", "pairs_negative")
        if name in training.samples
    ]
    if len(rows) < 2:
        return None
    below = plural(len(rows[1]), "single or impostor", "singles and impostors")
    return _sheet(rows, f"{plural(len(rows[0]), 'synthetic pair')} above {below}")


def _sheet(rows: list[list[Array]], alt: str) -> Sheet:
    return Sheet(data_uri(png_bytes(sheet(rows))), alt, rows)

"""The figures of one training as files: for the page, and for the run as soon as it has ended."""

from __future__ import annotations

from pathlib import Path

from mergerscope.report.images import save_sheet
from mergerscope.report.sheets import pairs_sheet, views_sheet
from mergerscope.report.style import save_panels
from mergerscope.report.training import load_training, training_panels

__all__ = ["training_figures"]


def training_figures(results: Path, figures: Path) -> list[Path]:
    """Draw what ``results/train`` holds into the folder ``figures``, and return the files.

    Raises:
        MissingInputError: a file of the train stage is not there.
    """
    training = load_training(results)
    figures.mkdir(parents=True, exist_ok=True)
    files = []
    panels = training_panels(training)
    if panels:
        files.append(figures / "training.png")
        save_panels(panels, files[-1], columns=3)
    for name, sheet in (("views", views_sheet(training)), ("pairs", pairs_sheet(training))):
        if sheet is not None:
            files.append(figures / f"{name}.png")
            save_sheet([picture for row in sheet.rows for picture in row], files[-1], len(sheet.rows[0]))
    return files

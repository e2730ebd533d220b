"""Which format a survey has, told by the files that are there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mergerscope.errors import SurveyError
from mergerscope.survey.kaggle import SOLUTIONS, open_kaggle
from mergerscope.survey.layout import Layout
from mergerscope.survey.table import TABLES, open_table

__all__ = ["detect_format", "open_survey"]

READERS: dict[str, Callable[[Path, str], Layout]] = {"kaggle": open_kaggle, "table": open_table}
SIGNS = {"kaggle": (f"{SOLUTIONS}.csv", f"{SOLUTIONS}.zip"), "table": TABLES}
"""Files of which at least one must be there, by format."""


def open_survey(root: Path, survey_format: str, target: str) -> Layout:
    """Open the survey at ``root``.

    Args:
        root: the survey's folder.
        survey_format: ``kaggle``, ``table`` or ``auto``.
        target: the vote column that is searched for.

    Raises:
        SurveyError: not there, of no known format, or without the target column.
    """
    if not root.is_dir():
        raise SurveyError(f"{root} is no folder. Put the survey there, or set survey.root in params.yaml.")
    return READERS[detect_format(root) if survey_format == "auto" else survey_format](root, target)


def detect_format(root: Path) -> str:
    """Return ``kaggle`` or ``table``.

    Raises:
        SurveyError: neither fits, or both do.
    """
    fits = [name for name, files in SIGNS.items() if any((root / file).is_file() for file in files)]
    if len(fits) == 1:
        return fits[0]
    expected = "; ".join(f"{name}: {' or '.join(files)}" for name, files in SIGNS.items())
    if fits:
        raise SurveyError(f"{root} fits several formats ({expected}). Set survey.format in params.yaml to one of them.")
    found = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    listed = ", ".join(found[:8]) + (", ..." if len(found) > 8 else "") if found else "nothing"
    raise SurveyError(f"{root} is no survey that mergerscope can read. Expected one of {expected}. Found: {listed}.")

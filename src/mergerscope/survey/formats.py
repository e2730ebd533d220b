"""Which format a survey has, told by the files that are there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mergerscope.errors import SurveyError
from mergerscope.survey.flux.hdf5 import hdf5_files
from mergerscope.survey.flux.open_fits import holds_fits, open_fits
from mergerscope.survey.flux.open_hdf5 import open_hdf5
from mergerscope.survey.kaggle import SOLUTIONS, open_kaggle
from mergerscope.survey.layout import OpenSurvey
from mergerscope.survey.table import IMAGES_FOLDER, IMAGES_ZIP, TABLES, open_table

__all__ = ["detect_format", "open_survey"]

READERS: dict[str, Callable[[Path, str], OpenSurvey]] = {
    "kaggle": open_kaggle, "table": open_table, "fits": open_fits, "hdf5": open_hdf5,
}  # fmt: skip
SIGNS = {"kaggle": (f"{SOLUTIONS}.csv", f"{SOLUTIONS}.zip"), "table": TABLES}
"""Files of which at least one must be there, by format."""


def open_survey(root: Path, survey_format: str, target: str) -> OpenSurvey:
    """Open the survey at ``root``.

    Args:
        root: the survey's folder.
        survey_format: ``kaggle``, ``table``, ``fits``, ``hdf5`` or ``auto``.
        target: the vote column that is searched for.

    Raises:
        SurveyError: not there, of no known format, or without the target column.
        MissingExtraError: it is HDF5, and h5py is not installed.
    """
    if not root.is_dir():
        raise SurveyError(f"{root} is no folder. Put the survey there, or set survey.root in params.yaml.")
    return READERS[detect_format(root) if survey_format == "auto" else survey_format](root, target)


def detect_format(root: Path) -> str:
    """Return ``kaggle``, ``table``, ``fits`` or ``hdf5``.

    A table of FITS files is a ``table``; HDF5 files beside a table that has no images of its own are ``hdf5``.

    Raises:
        SurveyError: none fits, or several do.
    """
    if hdf5_files(root) and not any((root / place).exists() for place in (IMAGES_FOLDER, IMAGES_ZIP)):
        return "hdf5"
    fits = [name for name, files in SIGNS.items() if any((root / file).is_file() for file in files)]
    if len(fits) == 1:
        return fits[0]
    if not fits and holds_fits(root):
        return "fits"
    expected = "; ".join(f"{name}: {' or '.join(files)}" for name, files in SIGNS.items())
    if fits:
        raise SurveyError(f"{root} fits several formats ({expected}). Set survey.format in params.yaml to one of them.")
    found = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    listed = ", ".join(found[:8]) + (", ..." if len(found) > 8 else "") if found else "nothing"
    raise SurveyError(f"{root} is no survey that mergerscope can read. Expected one of {expected}; "
                      f"fits: FITS files and labels.csv; hdf5: HDF5 files and labels.csv. Found: {listed}.")

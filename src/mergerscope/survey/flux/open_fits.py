"""A folder of FITS files as a survey: with a catalogue table, or with labels for some of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mergerscope.errors import SurveyError
from mergerscope.survey.flux.labels import Source, open_labelled
from mergerscope.survey.flux.places import FitsIndex
from mergerscope.survey.layout import OpenSurvey
from mergerscope.survey.places import index_folder, index_zip
from mergerscope.survey.records import Galaxy, ImageRefusedError, Refusal
from mergerscope.survey.table import IMAGES_FOLDER, IMAGES_ZIP, TABLES, open_fits_table

__all__ = ["holds_fits", "open_fits"]


def open_fits(root: Path, target: str) -> OpenSurvey:
    """Open the FITS files at ``root``: in ``images/``, else ``images.zip``, else the root itself.

    With a catalog.csv or .parquet the table's rows are the galaxies; otherwise every galaxy that the files make is
    one, its id being what the names of its files have in common, and labels.csv tells the votes.

    Raises:
        SurveyError: no FITS file, no table, or a table without what is needed.
    """
    if any((root / name).is_file() for name in TABLES):
        return open_fits_table(root, target)
    index = _index(root)
    if not index.galaxies:
        raise SurveyError(f"{root} has no FITS file (.fits, .fit or .fts, alone or with .gz, .bz2 or .fz), and neither "
                          f"has {IMAGES_FOLDER}/ or {IMAGES_ZIP} in it.")  # fmt: skip

    def items() -> Iterator[Galaxy | Refusal]:
        for stem in sorted(index.galaxies):
            identity = PurePosixPath(stem).name
            try:
                yield Galaxy(identity, index.reference(stem), None, None, {})
            except ImageRefusedError as refused:
                yield Refusal(identity, index.prefix + stem, "catalog", refused.reason, refused.detail)

    return open_labelled(root, target, "fits", Source(items))


def holds_fits(root: Path) -> bool:
    """Whether a FITS file lies where `open_fits` would look."""
    return bool(_index(root).galaxies)


def _index(root: Path) -> FitsIndex:
    if (root / IMAGES_FOLDER).is_dir():
        return index_folder(root, IMAGES_FOLDER, FitsIndex)
    if (root / IMAGES_ZIP).is_file():
        return index_zip(root, IMAGES_ZIP, FitsIndex)
    return index_folder(root, "", FitsIndex)

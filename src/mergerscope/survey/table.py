"""A free survey: one table and its images.

``catalog.csv`` or ``catalog.parquet`` has at least ``id`` and ``filename``, optionally ``ra_deg`` and ``dec_deg``,
and any number of vote columns. Images lie in ``images/``, else in ``images.zip``, else in the root itself.

Where the first rows name FITS files the images are flux: ``ebv`` then is the Galactic reddening, and a name may also be
that of several files of one band each, without band and ending (``132`` for ``132_gband.fits`` and ``132_rband.fits``)
or with all bands in braces (``132_{g,r}band.fits``).
"""

from __future__ import annotations

import difflib
from itertools import islice
from pathlib import Path

from mergerscope.errors import SurveyError
from mergerscope.survey.flux.bands import FITS_ENDING
from mergerscope.survey.flux.places import FitsIndex
from mergerscope.survey.layout import Layout
from mergerscope.survey.places import ImageIndex, index_folder, index_zip
from mergerscope.survey.rows import TableFile
from mergerscope.survey.votes import find_vote_columns

__all__ = ["IMAGES_FOLDER", "IMAGES_ZIP", "TABLES", "open_fits_table", "open_table"]

TABLES = ("catalog.csv", "catalog.parquet")
IMAGES_FOLDER = "images"
IMAGES_ZIP = "images.zip"
ID_COLUMN = "id"
FILENAME_COLUMN = "filename"
POSITIONS = ("ra_deg", "dec_deg")
REDDENING = "ebv"
FIRST_ROWS = 1000
"""Read to tell a table of FITS files from one of pictures."""


def open_table(root: Path, target: str) -> Layout:
    """Open the table at ``root``.

    Raises:
        SurveyError: no table or two of them, or a column is missing.
    """
    table = _table(root)
    for name in (ID_COLUMN, FILENAME_COLUMN):
        if name not in table.columns:
            lower = {column.lower(): column for column in table.columns}
            near = difflib.get_close_matches(name, lower, n=1, cutoff=0.5)
            hint = f" Rename {lower[near[0]]!r}?" if near else " Are the cells separated by commas?"
            raise SurveyError(f"{table.path} has no column {name!r}; it has: {', '.join(table.columns)}.{hint}")
    return _layout(root, table, target, "table", holds_flux=_names_fits(table))


def open_fits_table(root: Path, target: str) -> Layout:
    """Open the table at ``root`` as one of FITS files; without a column ``filename`` they are called like the ids.

    Raises:
        SurveyError: no table or two of them, or no column ``id``.
    """
    table = _table(root)
    if ID_COLUMN not in table.columns:
        raise SurveyError(f"{table.path} has no column {ID_COLUMN!r}; it has: {', '.join(table.columns)}.")
    return _layout(root, table, target, "fits", holds_flux=True)


def _table(root: Path) -> TableFile:
    found = [name for name in TABLES if (root / name).is_file()]
    if len(found) != 1:
        what = "both" if found else "neither"
        raise SurveyError(f"{root} has {what} {TABLES[0]} and {TABLES[1]}: exactly one of them is read.")
    return TableFile(root / found[0])


def _names_fits(table: TableFile) -> bool:
    at = table.index(FILENAME_COLUMN)
    names = [row.cells[at] for row in islice(table.rows(), FIRST_ROWS) if len(row.cells) > at]
    return 2 * sum(FITS_ENDING.search(name) is not None for name in names) > len(names)


def _layout(root: Path, table: TableFile, target: str, survey_format: str, *, holds_flux: bool) -> Layout:
    taken = (ID_COLUMN, FILENAME_COLUMN, *POSITIONS, *((REDDENING,) if holds_flux else ()))
    votes = find_vote_columns(table, target, taken)
    here = [name for name in POSITIONS if name in table.columns]
    ignored = dict(votes.ignored)
    if len(here) == 1:
        ignored[here[0]] = "half a position: ra_deg and dec_deg go together"
    images, notes = _images(root, FitsIndex if holds_flux else ImageIndex)
    filename_at = table.index(FILENAME_COLUMN if FILENAME_COLUMN in table.columns else ID_COLUMN)
    return Layout(
        format=survey_format,
        table=table,
        images=images,
        id_column=ID_COLUMN,
        filename=lambda cells: cells[filename_at],
        positions=POSITIONS if len(here) == 2 else None,
        votes=votes.names,
        ignored_columns=ignored,
        notes=notes,
        holds_flux=holds_flux,
        ebv=REDDENING if holds_flux and REDDENING in table.columns else None,
    )


def _images(root: Path, kind: type[ImageIndex]) -> tuple[ImageIndex, tuple[str, ...]]:
    packed = (root / IMAGES_ZIP).is_file()
    if (root / IMAGES_FOLDER).is_dir():
        note = f"{IMAGES_ZIP} was not read, for {IMAGES_FOLDER}/ is there too"
        return index_folder(root, IMAGES_FOLDER, kind), (note,) if packed else ()
    return (index_zip(root, IMAGES_ZIP, kind) if packed else index_folder(root, "", kind)), ()

"""A free survey: one table and its images.

``catalog.csv`` or ``catalog.parquet`` has at least ``id`` and ``filename``, optionally ``ra_deg`` and ``dec_deg``,
and any number of vote columns. Images lie in ``images/``, else in ``images.zip``, else in the root itself.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from mergerscope.errors import SurveyError
from mergerscope.survey.layout import Layout
from mergerscope.survey.places import ImageIndex, index_folder, index_zip
from mergerscope.survey.rows import TableFile
from mergerscope.survey.votes import find_vote_columns

__all__ = ["TABLES", "open_table"]

TABLES = ("catalog.csv", "catalog.parquet")
IMAGES_FOLDER = "images"
IMAGES_ZIP = "images.zip"
ID_COLUMN = "id"
FILENAME_COLUMN = "filename"
POSITIONS = ("ra_deg", "dec_deg")


def open_table(root: Path, target: str) -> Layout:
    """Open the table at ``root``.

    Raises:
        SurveyError: no table or two of them, or a column is missing.
    """
    found = [name for name in TABLES if (root / name).is_file()]
    if len(found) != 1:
        what = "both" if found else "neither"
        raise SurveyError(f"{root} has {what} {TABLES[0]} and {TABLES[1]}: exactly one of them is read.")
    table = TableFile(root / found[0])
    for name in (ID_COLUMN, FILENAME_COLUMN):
        if name not in table.columns:
            lower = {column.lower(): column for column in table.columns}
            near = difflib.get_close_matches(name, lower, n=1, cutoff=0.5)
            hint = f" Rename {lower[near[0]]!r}?" if near else " Are the cells separated by commas?"
            raise SurveyError(f"{table.path} has no column {name!r}; it has: {', '.join(table.columns)}.{hint}")
    votes = find_vote_columns(table, target, taken=(ID_COLUMN, FILENAME_COLUMN, *POSITIONS))
    here = [name for name in POSITIONS if name in table.columns]
    ignored = dict(votes.ignored)
    if len(here) == 1:
        ignored[here[0]] = "half a position: ra_deg and dec_deg go together"
    images, notes = _images(root)
    filename_at = table.index(FILENAME_COLUMN)
    return Layout(
        format="table",
        table=table,
        images=images,
        id_column=ID_COLUMN,
        filename=lambda cells: cells[filename_at],
        positions=POSITIONS if len(here) == 2 else None,
        votes=votes.names,
        ignored_columns=ignored,
        notes=notes,
    )


def _images(root: Path) -> tuple[ImageIndex, tuple[str, ...]]:
    packed = (root / IMAGES_ZIP).is_file()
    if (root / IMAGES_FOLDER).is_dir():
        note = f"{IMAGES_ZIP} was not read, for {IMAGES_FOLDER}/ is there too"
        return index_folder(root, IMAGES_FOLDER), (note,) if packed else ()
    return (index_zip(root, IMAGES_ZIP) if packed else index_folder(root, "")), ()

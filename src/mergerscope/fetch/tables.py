"""Tables with positions: CSV and Parquet by `TableFile`, FITS and VOTable by astropy, all as rows of text."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from astropy.table import Column, Table

from mergerscope.errors import SurveyError
from mergerscope.survey.rows import Row, TableFile

__all__ = ["TextTable", "open_table"]

BY_ASTROPY = {".fits": "fits", ".fit": "fits", ".fits.gz": "fits", ".vot": "votable", ".votable": "votable",
              ".xml": "votable"}  # fmt: skip
BY_US = (".csv", ".zip", ".parquet")
STEP = 4096


class TextTable(Protocol):
    """A table that can be gone through more than once."""

    path: Path
    columns: list[str]

    def rows(self) -> Iterator[Row]:
        """Yield the rows in file order, every cell as text."""


def open_table(path: Path) -> TextTable:
    """Open a table by the ending of its name.

    Raises:
        SurveyError: not there, of no known ending, or unreadable.
    """
    if not path.is_file():
        raise SurveyError(f"{path} is no file. --catalog names the table with the positions to fetch.")
    name = path.name.lower()
    for ending, kind in BY_ASTROPY.items():
        if name.endswith(ending):
            return AstropyTable(path, kind)
    if name.endswith(BY_US):
        return TableFile(path)
    raise SurveyError(f"{path}: a table ends in one of {', '.join([*BY_US, *BY_ASTROPY])}.")


class AstropyTable:
    """The first table of a FITS file or VOTable."""

    def __init__(self, path: Path, kind: str) -> None:
        """Read the table.

        Raises:
            SurveyError: it cannot be read.
        """
        self.path = path
        try:
            with warnings.catch_warnings():
                # Files of other tools often break small rules of the format; what matters is checked row by row.
                warnings.simplefilter("ignore")
                self._table = Table.read(path, format=kind)
        # astropy raises many kinds of error at damaged files, and does not list them.
        except Exception as error:
            raise SurveyError(f"{path} cannot be read as a {kind} table: {error}.") from None
        self.columns = list(self._table.colnames)

    def unit(self, column: str) -> str | None:
        """Return the unit of a column as the file gives it."""
        unit = self._table[column].unit
        return None if unit is None else str(unit)

    def rows(self) -> Iterator[Row]:
        """Yield the rows, a masked cell as blank."""
        for start in range(0, len(self._table), STEP):
            part = self._table[start : start + STEP]
            cells = zip(*(_as_text(part[name]) for name in self.columns), strict=True)
            for number, row in enumerate(cells, start + 1):
                yield Row(f"{self.path.name}:{number}", list(row))


def _as_text(column: Column) -> list[str]:
    if column.ndim > 1:
        return [f"<{column.dtype} {column.shape[1:]}>"] * len(column)
    masked = np.ma.getmaskarray(column) if np.ma.isMaskedArray(column) else np.zeros(len(column), bool)
    values = np.asarray(column)
    if values.dtype.kind == "b":
        values = values.astype(np.int8)  # a yes-no column is a vote of 0 or 1
    texts = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]
    return ["" if hidden else text.strip() for text, hidden in zip(texts, masked, strict=True)]

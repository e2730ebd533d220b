"""CSV and Parquet of somebody else; only a few rows are in memory at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq

from mergerscope.errors import SurveyError, TableError
from mergerscope.survey.rows import Row, TableFile
from mergerscope.tables.frames import Frame
from mergerscope.tables.kinds import header_line, is_gzip

__all__ = ["PlainTable"]

SEPARATORS = ",;\t|"


class PlainTable:
    """A table by `TableFile`. Of Parquet, the fields' own metadata may say unit and UCD."""

    def __init__(self, path: Path, kind: str) -> None:
        """Read the header.

        Raises:
            TableError: it cannot be read.
        """
        self.path = path
        separator = ","
        if kind == "csv":
            separator = max(SEPARATORS, key=header_line(path, SEPARATORS).count)
            kind = "gzip" if is_gzip(path) else kind
        with _as_table_error():
            self._file = TableFile(path, kind, separator, remarks=True)
        self.columns = [name.strip() for name in self._file.columns]
        self._about: dict[str, dict[str, str]] = {}
        if kind == "parquet":
            self._about = {
                field.name.strip(): {key.decode(): value.decode("utf-8", "replace") for key, value in told.items()}
                for field in pq.read_schema(path) if (told := field.metadata)
            }  # fmt: skip

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row]:
        """Yield the rows, all cells of them."""
        with _as_table_error():
            yield from self._file.rows()

    def unit(self, column: str) -> str:
        """Return the unit of a column."""
        return self._about.get(column, {}).get("unit", "")

    def ucd(self, column: str) -> str:
        """Return the UCD of a column."""
        return self._about.get(column, {}).get("ucd", "").strip().lower()

    def frame(self, column: str) -> Frame | None:
        """Return None: these formats have no place for it."""
        return None


@contextmanager
def _as_table_error() -> Iterator[None]:
    try:
        yield
    except SurveyError as error:
        raise TableError(str(error)) from None

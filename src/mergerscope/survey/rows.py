"""A table as rows of text, whether it is a CSV, a CSV packed with zip or gzip, or a Parquet file.

Everything is text until `fields` has judged it, so that one rule holds for all three and an id is never converted
on the way.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mergerscope.errors import SurveyError
from mergerscope.survey.archive import DAMAGE, Archive, is_hidden
from mergerscope.survey.records import ImageRefusedError
from mergerscope.survey.remarks import without_remarks

__all__ = ["Row", "TableFile", "as_text"]

MAX_TABLE_BYTES = 16 * 2**30
"""Of a zipped table, unpacked; it is read as a stream."""
BATCH_ROWS = 4096
KINDS = {".zip": "zip", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands in the file."""

    source: str
    """``catalog.csv:17``, the number being the line."""
    cells: list[str]
    """As many as the header has, unless the row is broken."""


class TableFile:
    """A table on disk that can be gone through more than once; only a few rows are in memory at a time."""

    def __init__(self, path: Path, kind: str | None = None, separator: str = ",", remarks: bool = False) -> None:
        """Read the header of ``path``: ``.csv``, ``.zip`` holding one CSV, or ``.parquet``.

        Args:
            path: of the file.
            kind: csv, gzip, zip or parquet, whatever the file is called.
            separator: of the cells of a CSV.
            remarks: whether lines of a CSV before its header that begin with # are remarks, see `without_remarks`.

        Raises:
            SurveyError: unreadable, not UTF-8, empty, or with a repeated column name.
        """
        self.path = path
        self.name = path.name
        self._kind = kind or KINDS.get(path.suffix, "csv")
        self._separator = separator
        self._remarks = remarks
        self.columns = self._parquet_columns() if self._kind == "parquet" else self._csv_columns()
        repeated = sorted({column for column in self.columns if self.columns.count(column) > 1})
        if repeated:
            raise SurveyError(f"{path} names columns more than once: {', '.join(repeated)}. Rename them.")

    def rows(self) -> Iterator[Row]:
        """Yield the rows in file order; blank lines are none.

        Raises:
            SurveyError: the file cannot be read to its end.
        """
        return self._parquet_rows() if self._kind == "parquet" else self._csv_rows()

    def index(self, column: str) -> int:
        """Return the position of a column that is known to exist."""
        return self.columns.index(column)

    def _csv_columns(self) -> list[str]:
        with self._csv_lines() as lines:
            header = next((cells for _, cells in lines if cells), None)
        if header is None:
            raise SurveyError(f"{self.path} is empty: its first line must name the columns.")
        return header

    def _csv_rows(self) -> Iterator[Row]:
        with self._csv_lines() as lines:
            filled = ((number, cells) for number, cells in lines if cells)
            next(filled)  # the header
            for number, cells in filled:
                yield Row(f"{self.name}:{number}", cells)

    @contextmanager
    def _csv_lines(self) -> Iterator[Iterator[tuple[int, list[str]]]]:
        line = read = 0
        try:
            with self._text() as text:

                def counted() -> Iterator[str]:
                    nonlocal read
                    for content in text:
                        read += 1
                        yield content

                # strict: an unclosed quote would otherwise swallow the rest of the file into one cell.
                content = without_remarks(counted(), self._separator) if self._remarks else counted()
                reader = csv.reader(content, delimiter=self._separator, strict=True)

                def numbered() -> Iterator[tuple[int, list[str]]]:
                    nonlocal line
                    for cells in reader:
                        line = read
                        yield line, cells

                yield numbered()
        except UnicodeDecodeError as error:
            raise SurveyError(
                f"{self.path} is not UTF-8 (byte {error.object[error.start]:#04x} after line {line}). Save it as UTF-8."
            ) from None
        except csv.Error as error:
            raise SurveyError(f"{self.path} breaks off after line {line}: {error}. Look for a stray quote.") from None
        except ImageRefusedError as refused:
            raise SurveyError(f"{self.path} cannot be unpacked ({refused.reason}: {refused.detail}).") from None
        except DAMAGE as error:
            raise SurveyError(f"{self.path} cannot be read after line {line}: {error}.") from None

    @contextmanager
    def _text(self) -> Iterator[TextIO]:
        # utf-8-sig also reads plain UTF-8, and takes off the mark that Excel puts in front.
        if self._kind == "zip":
            with (
                Archive(self.path, MAX_TABLE_BYTES) as archive,
                archive.open(self._member(archive)) as stream,
                io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text,
            ):
                yield text
        elif self._kind == "gzip":
            with gzip.open(self.path, "rt", encoding="utf-8-sig", newline="") as text:
                yield text
        else:
            with self.path.open(encoding="utf-8-sig", newline="") as text:
                yield text

    def _member(self, archive: Archive) -> str:
        tables = [name for name in archive.members if name.endswith(".csv") and not is_hidden(name)]
        if len(tables) != 1:
            raise SurveyError(f"{self.path} must hold exactly one .csv; it holds {len(tables)}: {tables[:5]}.")
        return tables[0]

    def _parquet_columns(self) -> list[str]:
        try:
            return list(pq.read_schema(self.path).names)
        except (pa.ArrowException, OSError) as error:
            raise SurveyError(f"{self.path} cannot be read as Parquet: {error}.") from None

    def _parquet_rows(self) -> Iterator[Row]:
        number = 0
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(BATCH_ROWS):
                    for cells in zip(*(as_text(column) for column in batch.columns), strict=True):
                        number += 1
                        yield Row(f"{self.name}:{number}", list(cells))
        except (pa.ArrowException, OSError) as error:
            raise SurveyError(f"{self.path} cannot be read after row {number}: {error}.") from None


def as_text(column: pa.Array) -> list[str]:
    """Return the cells of a column, nulls as blanks; a column that text cannot hold as its type, once a row."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())  # a yes-no column is a vote of 0 or 1
    try:
        text = column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return [f"<{column.type}>"] * len(column)  # a list or picture: no column of ours, and no number
    filled: list[str] = pc.fill_null(text, "").to_pylist()
    return filled

"""Parquet and CSV, written chunk by chunk by Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from mergerscope.publish.columns import Column, arrow_schema
from mergerscope.publish.votable import TAIL, votable_head

__all__ = ["CsvWriter", "ParquetWriter", "write_csv"]

CSV = pyarrow.csv.WriteOptions(quoting_style="needed")


class ParquetWriter:
    """Write a Parquet file whose fields say unit, UCD, utype and description.

    The same stands in the file's metadata as a VOTable without data (the VOParquet convention, version 1.0), which is
    where TOPCAT looks for it.
    """

    def __init__(
        self, path: Path, columns: Sequence[Column], title: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        about = {
            **(metadata or {}),
            "IVOA.VOTable-Parquet.version": "1.0",
            "IVOA.VOTable-Parquet.content": votable_head(columns, title) + TAIL,
            # asked for by astropy, whose strings have one width
            **{f"table::len::{column.name}": str(column.width) for column in columns if column.kind == "text"},
        }
        self._schema = arrow_schema(columns).with_metadata(about)
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def add(self, table: pa.Table) -> None:
        """Append rows."""
        self._writer.write_table(table.cast(self._schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._writer.close()


class CsvWriter:
    """Write a CSV file; a null is an empty field."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._schema = arrow_schema(columns)
        self._writer = pyarrow.csv.CSVWriter(path, self._schema, write_options=CSV)

    def add(self, table: pa.Table) -> None:
        """Append rows."""
        self._writer.write_table(table.cast(self._schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._writer.close()


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a whole table as CSV."""
    pyarrow.csv.write_csv(table, path, CSV)

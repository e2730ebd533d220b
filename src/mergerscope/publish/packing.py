"""Rows as fixed-width big-endian records, of which FITS tables and VOTable's BINARY2 are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mergerscope.publish.columns import Column

__all__ = ["nulls", "record_fields", "records"]

Array = np.ndarray[Any, Any]

FORMATS = {"integer": ">i8", "real": ">f4", "double": ">f8"}


def record_fields(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Return name and NumPy format of each column; the name is its number, for not every name is one to NumPy."""
    return [
        (f"c{number}", f"S{column.width}" if column.kind == "text" else FORMATS[column.kind])
        for number, column in enumerate(columns)
    ]


def records(table: pa.Table, columns: Sequence[Column], fields: Sequence[tuple[Any, ...]]) -> Array:
    """Return the rows of a table as records: a null number is NaN, a null text is empty.

    Args:
        table: with the columns, in order; integers without nulls.
        columns: what they are.
        fields: of `record_fields`; others before them are left at 0.
    """
    out = np.zeros(table.num_rows, list(fields))
    for (name, *_), column in zip(fields[len(fields) - len(columns) :], columns, strict=True):
        values = table.column(column.name).combine_chunks()
        if column.kind == "text":
            longest = pc.max(pc.binary_length(values)).as_py() or 0
            assert longest <= column.width, f"{column.name} has a text of {longest} characters"
            out[name] = values.fill_null("").to_numpy(zero_copy_only=False).astype(f"S{column.width}")
        else:
            out[name] = values.fill_null(np.nan).to_numpy() if column.kind != "integer" else values.to_numpy()
    return out


def nulls(table: pa.Table) -> Array:
    """Return (rows, columns) bool, true where there is no value."""
    return np.stack([column.is_null().to_numpy() for column in table.columns], axis=1)

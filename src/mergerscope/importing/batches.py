"""Batches of ids and vectors out of a Parquet file, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mergerscope.importing.columns import Columns

__all__ = ["Batch", "batches"]

Array = np.ndarray[Any, Any]

BATCH_ROWS = 8192


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some rows of the file.

    Attributes:
        first: number of the first row in the file.
        ids: (n,) as text; empty where there is none.
        vectors: (n, D) float32; rows of another length are NaN.
        lengths: (n,) numbers that each row's vector has; 0 where there is none.
    """

    first: int
    ids: Array
    vectors: Array
    lengths: Array


def batches(file: pq.ParquetFile, columns: Columns, dim: int | None = None) -> Iterator[Batch]:
    """Yield all rows.

    Args:
        file: the open file.
        columns: that are read.
        dim: length of a vector; None takes that of the first row that has one.
    """
    first = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns.all):
        ids = np.array([_text(value) for value in batch.column(columns.id).to_pylist()], dtype=np.str_)
        if columns.lists:
            vectors, lengths = _from_lists(batch.column(columns.vectors[0]), dim)
            dim = dim or (vectors.shape[1] or None)
        else:
            vectors = np.stack([_floats(batch.column(name)) for name in columns.vectors], axis=1)
            lengths = np.full(len(ids), len(columns.vectors))
        yield Batch(first, ids, vectors, lengths)
        first += len(ids)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _floats(column: pa.Array) -> Array:
    with np.errstate(over="ignore"):  # becomes infinite, and the row is refused
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float32)


def _from_lists(column: pa.Array, dim: int | None) -> tuple[Array, Array]:
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    if dim is None:
        dim = int(lengths[lengths > 0][0]) if (lengths > 0).any() else 0
    vectors = np.full((len(column), dim), np.nan, np.float32)
    right = lengths == dim
    if dim and right.any():
        # Without its other rows, for flatten() leaves no trace of where a row began.
        flat = column.filter(pa.array(right)).flatten()
        vectors[right] = _floats(flat).reshape(-1, dim)
    return vectors, lengths

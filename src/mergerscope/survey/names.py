"""Texts of millions of galaxies as UTF-8 bytes: for ASCII, a quarter of the memory of NumPy's text."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Names", "Texts", "as_names", "as_texts", "column_names", "column_texts"]

Names = npt.NDArray[np.bytes_]
Texts = npt.NDArray[np.str_]

SLICE = 1 << 16
"""Texts that are Python objects at once: millions of these would take more memory than the array."""


def as_names(texts: Any) -> Names:
    """Return texts as bytes, which sort as the texts do; bytes stay as they are."""
    values = np.asarray(texts)
    if values.dtype.kind == "S":
        return values
    values = values.astype(np.str_, copy=False)
    try:
        return values.astype(np.bytes_)
    except UnicodeEncodeError:  # the slow way is for what no survey holds: see `mergerscope.survey.fields.check_id`
        return np.strings.encode(values, "utf-8")


def as_texts(names: Names) -> Texts:
    """Return the texts that were made bytes."""
    try:
        return names.astype(np.str_)
    except UnicodeDecodeError:
        return np.strings.decode(names, "utf-8")


def column_names(column: pa.ChunkedArray) -> Names:
    """Return a column of texts as bytes (N,); null is empty."""
    out: Names = _filled(column.cast(pa.binary()), f"S{_longest(pc.binary_length(column))}", b"")
    return out


def column_texts(column: pa.ChunkedArray) -> Texts:
    """Return a column of texts (N,); null is empty."""
    out: Texts = _filled(column, f"U{_longest(pc.utf8_length(column))}", "")
    return out


def _longest(lengths: pa.ChunkedArray) -> int:
    return max(1, pc.max(lengths).as_py() or 1)


def _filled(column: pa.ChunkedArray, dtype: str, blank: str | bytes) -> npt.NDArray[Any]:
    out = np.zeros(len(column), dtype)
    for start in range(0, len(column), SLICE):
        out[start : start + SLICE] = column.slice(start, SLICE).fill_null(blank).to_pylist()
    return out

"""Tables that others wrote: told apart by their first bytes, read whole."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import Table

from mergerscope.errors import TableError

__all__ = ["column_ucd", "kind_of", "read_table"]

HEAD = 2048
SEPARATORS = ",;\t|"


def read_table(path: Path) -> Table:
    """Read FITS, VOTable, Parquet, ECSV or CSV, all but Parquet also packed with gzip.

    Cells of a CSV may also be separated by tabs, semicolons or bars; lines that begin with # are comments.

    Raises:
        TableError: it is not there, of no such format, or broken.
    """
    kind = kind_of(path)
    try:
        with warnings.catch_warnings():
            # Outside tables bend their standards in many harmless ways, such as units that nobody has registered.
            warnings.simplefilter("ignore")
            table = READERS[kind](path)
    except Exception as error:  # the readers raise whatever they like on a broken file
        told = " ".join(str(error).split())[:300]
        raise TableError(f"{path} cannot be read as {kind}: {told or type(error).__name__}") from None
    if not len(table):
        raise TableError(f"{path} has no rows.")
    return table


def kind_of(path: Path) -> str:
    """Return what the first bytes of a file say: fits, votable, parquet, ecsv, or else csv.

    Raises:
        TableError: it is not there, empty, or no text either.
    """
    try:
        head = _head(path)
    except (OSError, EOFError) as error:
        raise TableError(f"{path} cannot be read: {error}") from None
    if not head.strip():
        raise TableError(f"{path} is empty.")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"SIMPLE  ="):
        return "fits"
    if head.startswith(b"PAR1"):
        return "parquet"
    if text.startswith((b"<?xml", b"<VOTABLE", b"<!--")):
        return "votable"
    if b"\0" in head:
        raise TableError(f"{path} is no table that can be read: give CSV, ECSV, FITS, VOTable or Parquet.")
    return "ecsv" if text.startswith(b"# %ECSV") else "csv"


def column_ucd(table: Table, name: str) -> str:
    """Return the UCD of a column in lower case, "" where none is given."""
    column = table[name]
    told = column.info.meta or {}
    # astropy leaves the TUCD cards of a FITS table among its other cards
    place = table.meta.get(f"TUCD{table.colnames.index(name) + 1}", "")
    return str(told.get("ucd") or getattr(column, "ucd", None) or place or "").strip().lower()


def _head(path: Path) -> bytes:
    with path.open("rb") as plain:
        head = plain.read(HEAD)
    if head.startswith(b"\x1f\x8b"):
        with gzip.open(path) as packed:
            head = packed.read(HEAD)
    return head


def _csv(path: Path) -> Table:
    lines = _head(path).decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
    header = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    separator = max(SEPARATORS, key=header.count)
    table = Table.read(path, format="ascii.csv", delimiter=separator, comment="#")
    table.rename_column(table.colnames[0], table.colnames[0].removeprefix("\ufeff"))
    return table


def _parquet(path: Path) -> Table:
    read = pq.read_table(path)
    table = Table()
    for field, column in zip(read.schema, read.columns, strict=True):
        if pa.types.is_nested(field.type) or pa.types.is_dictionary(field.type):
            continue
        table[field.name] = _masked(column)
        about = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
        table[field.name].info.unit = about.get("unit")
        table[field.name].info.meta = {"ucd": about.get("ucd", "")}
    return table


def _masked(column: pa.ChunkedArray) -> Any:
    values, absent = column.to_numpy(), column.is_null().to_numpy()
    if values.dtype == object:
        texts = ["" if value is None else str(value) for value in values]
        return np.ma.MaskedArray(np.array(texts, dtype=np.str_), absent)
    return np.ma.MaskedArray(values, absent)


READERS: dict[str, Callable[[Path], Table]] = {
    "fits": lambda path: Table.read(path, format="fits"),
    "votable": lambda path: Table.read(path, format="votable"),
    "ecsv": lambda path: Table.read(path, format="ascii.ecsv"),
    "csv": _csv,
    "parquet": _parquet,
}

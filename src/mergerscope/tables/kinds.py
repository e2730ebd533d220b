"""What format a table has, told by its first bytes and not by its name."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from mergerscope.errors import TableError
from mergerscope.survey.remarks import without_remarks

__all__ = ["FORMATS", "GIVE", "header_line", "is_gzip", "kind_of"]

FORMATS = {
    "fits": "a FITS table", "votable": "a VOTable", "ecsv": "ECSV", "parquet": "Parquet", "csv": "CSV", "zip": "a zip",
}  # fmt: skip
GIVE = "Give a table as CSV, ECSV, FITS, VOTable or Parquet."

HEAD = 2048
GZIP = b"\x1f\x8b"
MAX_REMARKS = 2**20
"""Bytes in which the line with the columns' names must begin."""


def kind_of(path: Path) -> str:
    """Return one of `FORMATS`; all but Parquet and zip may be packed with gzip.

    Raises:
        TableError: it is not there, empty, or none of them.
    """
    head = _head(path, HEAD)
    if not head.strip():
        raise TableError(f"{path} is empty. {GIVE}")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"SIMPLE  ="):
        return "fits"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if text.startswith((b"<?xml", b"<VOTABLE", b"<!--")):
        return "votable"
    if b"\0" in head:
        raise TableError(f"{path} begins with {head[:8]!r}, as no table does that can be read. {GIVE}")
    return "ecsv" if text.startswith(b"# %ECSV") else "csv"


def header_line(path: Path, separators: str) -> str:
    """Return the line of a text that names the columns, see `without_remarks`; "" for none.

    Args:
        path: of the file.
        separators: of cells that there may be.

    Raises:
        TableError: it cannot be read.
    """
    lines = _head(path, MAX_REMARKS).decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
    return next(without_remarks(lines, separators), "")


def is_gzip(path: Path) -> bool:
    """Tell whether a file that can be read is packed with gzip."""
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def _head(path: Path, size: int) -> bytes:
    if not path.exists():
        raise TableError(f"there is no file {path.absolute()}. {GIVE}")
    if not path.is_file():
        raise TableError(f"{path} is no file. {GIVE}")
    try:
        if is_gzip(path):
            with gzip.open(path) as packed:
                return packed.read(size)
        with path.open("rb") as plain:
            return plain.read(size)
    except (OSError, EOFError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise TableError(f"{path} cannot be read: {why}. {GIVE}") from None

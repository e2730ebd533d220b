"""A FITS binary table, written chunk by chunk."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from astropy.io import fits

from mergerscope.publish.columns import Column
from mergerscope.publish.packing import record_fields, records

__all__ = ["FitsWriter"]

BLOCK = 2880
FORMATS = {"integer": "K", "real": "E", "double": "D"}
WIDEST_VALUE = 68


class FitsWriter:
    """Write one table as the first extension of a FITS file (FITS standard 4.0, section 7.3).

    The header says unit, UCD, utype and description of each column by TUNIT, TUCD, TUTYP and TCOMM, as TOPCAT does,
    and that positions are ICRS by RADESYS. It holds no date: equal rows give equal bytes.
    """

    def __init__(self, path: Path, columns: Sequence[Column], rows: int, title: str) -> None:
        """Begin a file of exactly ``rows`` rows, which the header must tell beforehand."""
        self._columns = columns
        self._fields = record_fields(columns)
        self._due = rows
        self._bytes = 0
        self._file = path.open("wb")
        header = _header(columns, np.dtype(self._fields).itemsize, rows, title)
        self._file.write((_primary().tostring() + header.tostring()).encode("ascii"))

    def add(self, table: pa.Table) -> None:
        """Append rows."""
        block = records(table, self._columns, self._fields).tobytes()
        self._file.write(block)
        self._due -= table.num_rows
        self._bytes += len(block)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        with self._file:
            self._file.write(b"\0" * (-self._bytes % BLOCK))
        assert kind is not None or self._due == 0, f"{self._due} rows are lacking in {self._file.name}"


def _primary() -> fits.Header:
    header = fits.Header()
    header["SIMPLE"] = (True, "conforms to FITS standard")
    header["BITPIX"] = 8
    header["NAXIS"] = 0
    header["EXTEND"] = True
    return header


def _header(columns: Sequence[Column], row_bytes: int, rows: int, title: str) -> fits.Header:
    header = fits.Header()
    header["XTENSION"] = ("BINTABLE", "binary table extension")
    header["BITPIX"] = 8
    header["NAXIS"] = 2
    header["NAXIS1"] = (row_bytes, "bytes of a row")
    header["NAXIS2"] = (rows, "rows")
    header["PCOUNT"] = 0
    header["GCOUNT"] = 1
    header["TFIELDS"] = (len(columns), "columns")
    header["EXTNAME"] = title
    header["RADESYS"] = ("ICRS", "of all positions")
    names = _names(columns)
    for number, (column, name) in enumerate(zip(columns, names, strict=True), start=1):
        header[f"TTYPE{number}"] = name
        header[f"TFORM{number}"] = f"{column.width}A" if column.kind == "text" else FORMATS[column.kind]
        for key, value in (("TUNIT", column.unit), ("TUCD", column.ucd), ("TUTYP", column.utype)):
            if value:
                header[f"{key}{number}"] = value
        header[f"TCOMM{number}"] = column.description
    return header


def _names(columns: Sequence[Column]) -> list[str]:
    """Return names that FITS takes: printable ASCII, at most 68 characters, different in more than case."""
    names: list[str] = []
    taken: set[str] = set()
    for column in columns:
        letters = (letter for letter in unicodedata.normalize("NFKD", column.name) if not unicodedata.combining(letter))
        plain = "".join(letter if " " <= letter <= "~" else "_" for letter in letters)
        name, again = plain[:WIDEST_VALUE], 1
        while name.lower() in taken:
            again += 1
            name = f"{plain[: WIDEST_VALUE - 4]}_{again}"
        taken.add(name.lower())
        names.append(name)
    return names

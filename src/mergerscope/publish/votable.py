"""VOTable 1.4, the table format of the Virtual Observatory: all rows as BINARY2, or a few as readable XML."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mergerscope.publish.columns import Column
from mergerscope.publish.packing import nulls, record_fields, records

__all__ = ["VOTableWriter", "votable_head", "votable_text"]

DATATYPES = {
    "integer": "long", "real": "float", "double": "double", "text": "char", "words": "unicodeChar", "flag": "boolean",
}  # fmt: skip
SYSTEM = "icrs"
XML_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
TAIL = "</TABLE>\n</RESOURCE>\n</VOTABLE>\n"
LINE = 57 * 64
"""Bytes that base64 turns into whole lines; a remainder waits for the next rows."""


class VOTableWriter:
    """Write a VOTable chunk by chunk, rows as BINARY2 (VOTable 1.4, section 6.4).

    Texts have the fixed width of their column, so that rows have all the same length and are made at once.
    """

    def __init__(self, path: Path, columns: Sequence[Column], rows: int, title: str) -> None:
        self._columns = columns
        flags = (len(columns) + 7) // 8
        self._fields: list[tuple[Any, ...]] = [("nulls", "u1", (flags,)), *record_fields(columns)]
        self._rest = b""
        self._file = path.open("wb")
        self._file.write(votable_head(columns, title, rows).encode("utf-8"))
        self._file.write(b'<DATA>\n<BINARY2>\n<STREAM encoding="base64">\n')

    def add(self, table: pa.Table) -> None:
        """Append rows."""
        block = records(table, self._columns, self._fields)
        block["nulls"] = np.packbits(nulls(table), axis=1)
        data = self._rest + block.tobytes()
        whole = len(data) - len(data) % LINE
        self._rest = data[whole:]
        self._write(data[:whole])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        with self._file:
            self._write(self._rest)
            self._file.write(b"</STREAM>\n</BINARY2>\n</DATA>\n" + TAIL.encode("ascii"))

    def _write(self, data: bytes) -> None:
        for start in range(0, len(data), LINE):
            self._file.write(base64.b64encode(data[start : start + LINE]) + b"\n")


def votable_head(columns: Sequence[Column], title: str, rows: int | None = None) -> str:
    """Return the document up to the end of the fields: what `TAIL` closes is a table without data."""
    count = "" if rows is None else f' nrows="{rows}"'
    return "".join([
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n<RESOURCE type="results">\n'
        f'<COOSYS ID="{SYSTEM}" system="ICRS"/>\n<TABLE name={quoteattr(title)}{count}>\n',
        *(_field(column, number) for number, column in enumerate(columns, start=1)),
    ])  # fmt: skip


def votable_text(table: pa.Table, columns: Sequence[Column], title: str) -> str:
    """Return a whole document with its rows as TABLEDATA, which every program reads: for short tables."""
    rows = "".join(_rows(table))
    return f"{votable_head(columns, title, table.num_rows)}<DATA>\n<TABLEDATA>\n{rows}</TABLEDATA>\n</DATA>\n{TAIL}"


def _rows(table: pa.Table) -> Iterator[str]:
    # Arrow writes the shortest digits that give the same float32 or float64 back.
    texts = [pc.cast(column, pa.string()).to_pylist() for column in table.columns]
    for cells in zip(*texts, strict=True):
        yield f"<TR>{''.join('<TD/>' if cell is None else f'<TD>{escape(cell)}</TD>' for cell in cells)}</TR>\n"


def _field(column: Column, number: int) -> str:
    # Without an ID readers make one of the name, and complain where it cannot be one.
    identity = "" if XML_ID.fullmatch(column.name) else f' ID="column_{number}"'
    sizes = {"text": f' arraysize="{column.width}"', "words": ' arraysize="*"'}
    size = sizes.get(column.kind, "")
    unit = f" unit={quoteattr(column.unit)}" if column.unit else ""
    utype = f" utype={quoteattr(column.utype)}" if column.utype else ""
    system = f' ref="{SYSTEM}"' if column.ucd.startswith("pos.eq.") else ""
    return (
        f'<FIELD{identity} name={quoteattr(column.name)} datatype="{DATATYPES[column.kind]}"{size}{unit}'
        f' ucd="{column.ucd}"{utype}{system}>\n<DESCRIPTION>{escape(column.description)}</DESCRIPTION>\n</FIELD>\n'
    )

"""The galaxies that were found: as files, and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from mergerscope.files import replacing
from mergerscope.publish.arrow_files import write_csv
from mergerscope.publish.columns import nullable
from mergerscope.report.words import decimal
from mergerscope.search.alike import Found
from mergerscope.survey.catalog_file import Catalog

__all__ = ["SHOWN", "as_text", "found_table", "write_table"]

Array = np.ndarray[Any, Any]

SHOWN = 30
"""Galaxies on the terminal at most; the files have all."""


def found_table(found: Found, ids: Array, rows: Array, names: Sequence[str], catalog: Catalog) -> pa.Table:
    """Return one row a galaxy, the most alike first.

    Args:
        found: K galaxies.
        ids: (N,) of the store.
        rows: (N,) row of each in the catalogue.
        names: of the queries.
        catalog: for positions and the vote of the target column.
    """
    inside = rows[found.rows]
    vote = str(catalog.target["column"])
    return pa.table({
        "rank": pa.array(np.arange(1, len(inside) + 1)),
        "id": pa.array(ids[found.rows].tolist(), pa.string()),
        "ra_deg": nullable(catalog.ra_deg[inside]),
        "dec_deg": nullable(catalog.dec_deg[inside]),
        "similarity": pa.array(found.similarity),
        "nearest_query": pa.array([names[number] for number in found.nearest.tolist()], pa.string()),
        vote if vote not in ("rank", "id", "similarity") else f"vote_{vote}": nullable(catalog.vote[inside]),
    })


def write_table(table: pa.Table, folder: Path) -> None:
    """Write ``similar.csv`` and ``similar.parquet``, each whole or not at all."""
    with replacing(folder / "similar.parquet") as fresh:
        pq.write_table(table, fresh, compression="zstd")
    with replacing(folder / "similar.csv") as fresh:
        write_csv(table, fresh)


def as_text(table: pa.Table, queries: int) -> Table:
    """Return the first rows for the terminal; what differs for no galaxy is left out."""
    vote = table.column_names[-1]
    shown = Table(box=SIMPLE_HEAD)
    for heading in ("rank", "id", "similarity"):
        shown.add_column(heading, justify="left" if heading == "id" else "right", no_wrap=heading != "id")
    positions = table["ra_deg"].null_count < table.num_rows
    extra = [("ra dec", positions), (vote, table[vote].null_count < table.num_rows), ("nearest query", queries > 1)]
    for heading, there in extra:
        if there:
            shown.add_column(heading, no_wrap=heading == "ra dec")
    for row in table.slice(0, SHOWN).to_pylist():
        where = "" if row["ra_deg"] is None else f"{row['ra_deg']:.5f} {row['dec_deg']:+.5f}"
        told = (where, decimal(row[vote]), row["nearest_query"])
        cells = [text for text, (_, there) in zip(told, extra, strict=True) if there]
        # Text, for rich would read an id such as [red] as markup.
        shown.add_row(*map(Text, (str(row["rank"]), row["id"], decimal(row["similarity"], 3), *cells)))
    return shown

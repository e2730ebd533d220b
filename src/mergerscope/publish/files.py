"""Every file of the ranked list, written side by side in one pass: a survey is never in memory as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mergerscope.files import replacing, write_text
from mergerscope.publish.arrow_files import CsvWriter, ParquetWriter
from mergerscope.publish.columns import Column, arrow_schema
from mergerscope.publish.fits_table import FitsWriter
from mergerscope.publish.region import region_text
from mergerscope.publish.votable import VOTableWriter, votable_text

__all__ = ["LIST", "TOP_REGION", "TOP_TABLE", "write_candidates"]

LIST = ("candidates.parquet", "candidates.csv", "candidates.fits", "candidates.vot")
TOP_REGION, TOP_TABLE = "top.reg", "top.vot"
TITLE = "candidates"


def write_candidates(
    folder: Path, columns: Sequence[Column], chunks: Iterable[pa.Table], rows: int, top: int,
    metadata: Mapping[str, str],
) -> pa.Table:
    """Write the list as Parquet, CSV, FITS and VOTable, and its top as a VOTable and a DS9 region file.

    Each file takes its name once all are complete.

    Args:
        folder: made where it is not there.
        columns: of `candidate_columns`.
        chunks: tables with these columns, best rows first.
        rows: of all chunks together.
        top: first rows that go into the short files; those of them without a position are left out there.
        metadata: kept in the Parquet file.

    Returns:
        The first ``top`` rows.
    """
    first: list[pa.Table] = []
    with ExitStack() as whole:
        fresh = [whole.enter_context(replacing(folder / name)) for name in LIST]
        with (
            ParquetWriter(fresh[0], columns, TITLE, metadata) as parquet, CsvWriter(fresh[1], columns) as text,
            FitsWriter(fresh[2], columns, rows, TITLE) as fits,
            VOTableWriter(fresh[3], columns, rows, TITLE) as votable,
        ):  # fmt: skip
            for chunk in chunks:
                for writer in (parquet, text, fits, votable):
                    writer.add(chunk)
                lacking = top - sum(table.num_rows for table in first)
                if lacking > 0:
                    first.append(chunk.slice(0, lacking))
        shortlist = pa.concat_tables(first) if first else arrow_schema(columns).empty_table()
        placed = shortlist.filter(pc.is_valid(shortlist.column("ra_deg")))
        write_text(folder / TOP_REGION, region_text(placed))
        write_text(folder / TOP_TABLE, votable_text(placed, columns, "top"))
    return shortlist

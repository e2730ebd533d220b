"""What each column of the published tables is: type, unit, UCD, utype, and a line of description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from mergerscope.publish.links import LEGACY_WIDTH, SDSS_WIDTH

__all__ = ["NEAREST", "Column", "arrow_schema", "candidate_columns", "nullable", "position"]

NEAREST = 3
"""References named beside each candidate."""

Kind = Literal["integer", "real", "double", "text", "words", "flag"]
ARROW: dict[Kind, pa.DataType] = {
    "integer": pa.int64(), "real": pa.float32(), "double": pa.float64(), "text": pa.string(), "words": pa.string(),
    "flag": pa.bool_(),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: in every format.
        kind: int64, float32, float64, ASCII text; in short tables also words in any script, and yes or no.
        ucd: what it means, in words of UCD1+ (IVOA, version 1.5).
        description: one line of at most 68 characters, which is what a FITS card holds.
        unit: in the VOUnit syntax, "" for pure numbers and text.
        utype: its place in a data model, "" for none.
        width: characters of the longest text; texts only.
    """

    name: str
    kind: Kind
    ucd: str
    description: str
    unit: str = ""
    utype: str = ""
    width: int = 1


def candidate_columns(id_width: int, votes: Sequence[str]) -> list[Column]:
    """Return the columns of the ranked list.

    Args:
        id_width: characters of the survey's longest id.
        votes: the catalogue's vote columns; one that is named like another column here is written as ``vote_<name>``.
    """
    first = [
        Column("rank", "integer", "stat.rank;meta.main", "Place in the list, 1 is most like a known merger"),
        Column("id", "text", "meta.id;meta.main", "Galaxy, as the survey calls it", width=id_width),
        *position("ra_deg", "dec_deg"),
        Column("score", "real", "stat.value", "Likeness to the known mergers; its scale depends on the ranker"),
    ]
    first += [
        Column(f"nearest_reference_{n}", "text", "meta.id.assoc", f"Known merger that it is most like, number {n}",
               width=id_width)
        for n in range(1, NEAREST + 1)
    ]  # fmt: skip
    first += [
        Column(f"similarity_{n}", "real", "stat.correlation", f"Whitened cosine similarity to nearest_reference_{n}")
        for n in range(1, NEAREST + 1)
    ]
    last = [
        Column("duplicate_of", "text", "meta.id.cross", "First galaxy at this place on the sky; null: it is the first",
               width=id_width),
        Column("legacy_viewer", "text", "meta.ref.url", "Legacy Surveys viewer; null outside its approximate area",
               width=LEGACY_WIDTH),
        Column("sdss", "text", "meta.ref.url", "SDSS navigator; null outside its approximate area", width=SDSS_WIDTH),
    ]  # fmt: skip
    taken = {column.name for column in (*first, *last)}
    middle = []
    for vote in votes:
        name = vote
        while name in taken:
            name = f"vote_{name}"
        taken.add(name)
        middle.append(Column(name, "double", "stat.probability;src.morph", "Share of the votes for this answer"))
    return [*first, *middle, *last]


def position(ra: str, dec: str, whose: str = "") -> list[Column]:
    """Return the two columns of a position in ICRS."""
    main = "" if whose else ";meta.main"
    of = f" {whose}" if whose else ""
    place = "stc:AstroCoords.Position2D.Value2"
    return [
        Column(ra, "double", f"pos.eq.ra{main}", f"Right ascension{of}, ICRS", unit="deg", utype=f"{place}.C1"),
        Column(dec, "double", f"pos.eq.dec{main}", f"Declination{of}, ICRS", unit="deg", utype=f"{place}.C2"),
    ]


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """Return the columns as an Arrow schema, with unit, UCD, utype and description in the metadata of each field."""
    return pa.schema([pa.field(column.name, ARROW[column.kind], metadata=_metadata(column)) for column in columns])


def nullable(values: np.ndarray[Any, Any]) -> pa.Array:
    """Return numbers as Arrow's, null where they are not finite."""
    return pa.array(values, mask=~np.isfinite(values))


def _metadata(column: Column) -> dict[str, str]:
    told = {"unit": column.unit, "ucd": column.ucd, "utype": column.utype, "description": column.description}
    return {key: value for key, value in told.items() if value}

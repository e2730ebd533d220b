"""What was asked for on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """One import."""

    file: Path
    """Parquet."""
    id_column: str | None = None
    """None looks for it."""
    vectors: str | None = None
    """A column of lists, or a pattern of the names of many columns; None looks for them."""
    name: str = "imported"
    """What made the vectors."""
    subset: bool = False
    """Whether galaxies that the survey has not are left out without a word about each."""

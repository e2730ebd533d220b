"""Small results as text files: equal bytes for equal content."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mergerscope.files import write_text

__all__ = ["number", "write_csv", "write_json"]

DECIMALS = 6
"""Kept of every figure: the digits beyond differ between processors."""


def number(value: float) -> float | None:
    """Return a figure as it is written: rounded, and None where it is not defined."""
    return round(float(value), DECIMALS) if math.isfinite(value) else None


def write_json(path: Path, tree: Mapping[str, Any]) -> None:
    """Write a JSON object."""
    write_text(path, json.dumps(tree, indent=1, allow_nan=False) + "\n")


def write_csv(path: Path, header: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    """Write a table; None becomes an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    write_text(path, text.getvalue())

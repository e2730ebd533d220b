"""The lines with which programs introduce a CSV: remarks, which begin with #."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator

__all__ = ["without_remarks"]

NUMBER = re.compile(r"[+-]?\.?\d[\d\s.:+\-ehmsd]*", re.IGNORECASE)
"""Or a sexagesimal angle: what stands in a row, and is no column's name."""


def without_remarks(lines: Iterable[str], separators: str) -> Iterator[str]:
    """Yield the header of a CSV, then every line behind it as it stands.

    Remarks and blank lines before the header are left out. A remark is the header itself, and loses its #, where it
    names as many columns as the line behind it has cells and that line has a number among them: so TOPCAT and astropy
    may write one. Behind the header a # is a character like any other.

    Args:
        lines: from the first.
        separators: of cells; of several the one counts that the remark has most of.
    """
    rest = iter(lines)
    remark = ""
    for line in rest:
        if line.startswith("#"):
            remark = line[1:].lstrip(" ")
        elif line.strip():
            if _names_cells(remark, line, separators):
                yield remark
            yield line
            break
    yield from rest


def _names_cells(remark: str, line: str, separators: str) -> bool:
    separator = max(separators, key=remark.count)
    try:
        names, cells = (
            [cell.strip() for cell in next(csv.reader([text], delimiter=separator), [])] for text in (remark, line)
        )
    except csv.Error:
        return False  # of the line, which its reader will say
    return (
        len(names) == len(cells) > 1
        and all(names)
        and not any(NUMBER.fullmatch(name) for name in names)
        and any(NUMBER.fullmatch(cell) for cell in cells)
    )

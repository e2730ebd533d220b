"""The two tables of a folder of cutouts: ``catalog.csv`` of what is there, ``failed.csv`` of what is not.

A galaxy that was ever asked for stands in one of them. Both keep the columns of the table that was given, and rows of
former runs stay, so that a list of failures can be fetched into the folder that it came from.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from mergerscope.fetch.ledger import Ledger
from mergerscope.fetch.targets import ADDED, Bad, Targets
from mergerscope.fetch.trouble import NOT_TRIED
from mergerscope.files import replacing

__all__ = ["CATALOG", "FAILED", "write_lists"]

CATALOG = "catalog.csv"
FAILED = "failed.csv"

Named = dict[str, str]
Why = Mapping[str, tuple[str, str]]


def write_lists(ledger: Ledger, targets: Targets, why: Why) -> None:
    """Write both tables, new-then-rename.

    Args:
        ledger: the files that are there.
        targets: the galaxies of this run.
        why: reason and detail of each galaxy of it that was tried in vain.
    """
    _write(ledger.out / CATALOG, ["id", "filename", "ra_deg", "dec_deg"], [], targets, _there(ledger, targets),
           lambda row: row["id"] in ledger and row["id"] not in targets.ids)  # fmt: skip
    # A row that could not be used goes with the table that it stood in; it may have been mended there.
    _write(ledger.out / FAILED, ["id", "ra_deg", "dec_deg"], [*ADDED], targets, _missing(ledger, targets, why),
           lambda row: row["id"] != "" and row["id"] not in ledger and row["id"] not in targets.ids)  # fmt: skip


def _there(ledger: Ledger, targets: Targets) -> Iterator[Named]:
    for target in targets.rows():
        if not isinstance(target, Bad) and ledger.has(target):
            yield {
                "id": target.id, "filename": ledger.filename(target.id), "ra_deg": repr(target.ra_deg),
                "dec_deg": repr(target.dec_deg), **_more(targets, target.more),
            }  # fmt: skip


def _missing(ledger: Ledger, targets: Targets, why: Why) -> Iterator[Named]:
    for target in targets.rows():
        if isinstance(target, Bad):
            place, (reason, detail) = (target.ra, target.dec), (target.reason, target.detail)
        elif ledger.has(target):
            continue
        else:
            place = repr(target.ra_deg), repr(target.dec_deg)
            reason, detail = why.get(target.id, (NOT_TRIED, "the run was ended before"))
        yield {
            "id": target.id, "ra_deg": place[0], "dec_deg": place[1], **_more(targets, target.more),
            "reason": reason, "detail": detail,
        }  # fmt: skip


def _more(targets: Targets, cells: list[str]) -> Named:
    return dict(zip(targets.more_columns, cells, strict=True))


def _write(
    path: Path, first: list[str], last: list[str], targets: Targets, rows: Iterable[Named],
    keep: Callable[[Named], bool],
) -> None:
    """Write the rows of former runs that are to be kept, then those of this one; columns are joined."""
    former = _header(path)
    middle = dict.fromkeys([*(name for name in former if name not in (*first, *last)), *targets.more_columns])
    with replacing(path) as fresh, fresh.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, [*first, *middle, *last], restval="", lineterminator="\n")
        writer.writeheader()
        if former:
            writer.writerows(row for row in _rows(path) if keep(row))
        writer.writerows(rows)


def _header(path: Path) -> list[str]:
    return next(_lines(path), []) if path.is_file() else []


def _rows(path: Path) -> Iterator[Named]:
    lines = _lines(path)
    header = next(lines)
    for cells in lines:
        yield dict(zip(header, cells, strict=False))


def _lines(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as text:
        yield from csv.reader(text)

"""Refused inputs as a file, as counts, and as the reason to stop when they are too many."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

from mergerscope.errors import ContractError, MissingInputError, TooManyRefusedError
from mergerscope.survey.records import Refusal

__all__ = ["check_share", "count_reasons", "read_refusals", "refusals_csv"]

COLUMNS = [field.name for field in fields(Refusal)]


def count_reasons(refused: Sequence[Refusal]) -> dict[str, int]:
    """Return how often each reason was given, the commonest first, equals by name."""
    counts = Counter(refusal.reason for refusal in refused)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def check_share(refused: Sequence[Refusal], total: int, limit: float) -> None:
    """Stop when too much of a survey is refused.

    Args:
        refused: everything that is left out so far.
        total: number of inputs of which they were refused.
        limit: largest share that may be, ``shard.max_refused``.

    Raises:
        TooManyRefusedError: names the five commonest reasons, with an example of each.
    """
    if len(refused) <= limit * total:
        return
    lines = []
    for reason, count in list(count_reasons(refused).items())[:5]:
        first = next(refusal for refusal in refused if refusal.reason == reason)
        lines.append(f"  {count} x {reason}, first {first.source}: {first.detail}")
    raise TooManyRefusedError(
        f"{len(refused)} of {total} inputs of the survey are unusable ({len(refused) / total:.1%}); "
        f"shard.max_refused in params.yaml allows {limit:.1%}. The commonest reasons:\n"
        + "\n".join(lines)
        + "\nMend the survey, or raise shard.max_refused to go on without them."
    )


def refusals_csv(refused: Sequence[Refusal]) -> str:
    """Return the list as CSV text, one line a refusal, in the order given."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(refusal) for refusal in refused)
    return text.getvalue()


def read_refusals(path: Path) -> list[Refusal]:
    """Read what `refusals_csv` made.

    Raises:
        MissingInputError: no such file.
        ContractError: not such a file.
    """
    if not path.is_file():
        raise MissingInputError(path, made_by="catalog")
    with path.open(encoding="utf-8", newline="") as text:
        rows = list(csv.reader(text))
    if not rows or rows[0] != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise ContractError(f"{path} must have the columns {', '.join(COLUMNS)}. Run `mergerscope catalog` again.")
    return [Refusal(*row) for row in rows[1:]]

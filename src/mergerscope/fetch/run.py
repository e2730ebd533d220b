"""Fetch every galaxy of a table into a folder that the pipeline reads as a survey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mergerscope.errors import SurveyError
from mergerscope.fetch.crew import Outcome, work
from mergerscope.fetch.ledger import Ledger, alone_in
from mergerscope.fetch.lists import write_lists
from mergerscope.fetch.pace import Pace
from mergerscope.fetch.request import Cutouts
from mergerscope.fetch.targets import Bad, Target, Targets
from mergerscope.progress import progress

__all__ = ["Fetched", "fetch"]

GIVE_UP_AFTER = 50
"""Galaxies in a row that fail for a reason that lies with the server: then it is down, and should be left alone."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a run came to."""

    new: int
    there: int
    """Whole before the run began."""
    failed: dict[str, int]
    """Galaxies without a file by reason, commonest first."""


def fetch(catalog: Path, out: Path, asked: Cutouts, pace: Pace, workers: int) -> Fetched:
    """Fetch what is not there yet; ``catalog.csv`` and ``failed.csv`` are written however the run ends.

    Args:
        catalog: table with id, right ascension and declination.
        out: folder; what is in it is kept and gone on with.
        asked: what is fetched for each galaxy.
        pace: rate, retries and waits.
        workers: connections.

    Raises:
        SurveyError: the table cannot be used, the folder holds other cutouts, the server is down, or nothing came.
    """
    targets = Targets(catalog)
    with alone_in(out):
        ledger = Ledger(out, asked)
        run = _Run(ledger, targets)
        try:
            with progress("fetch", targets.count, "galaxies") as advance, \
                    closing(work(run.good_rows(), ledger, asked, pace, workers)) as outcomes:  # fmt: skip
                for outcome in outcomes:
                    run.take(outcome)
                    advance(1, run.note())
                advance(sum(run.refused.values()))
        finally:
            ledger.close()
            write_lists(ledger, targets, run.why)
    return run.result()


class _Run:
    """The counts and failures of one run."""

    def __init__(self, ledger: Ledger, targets: Targets) -> None:
        self._ledger = ledger
        self._targets = targets
        self._new = self._there = self._in_a_row = 0
        self.why: dict[str, tuple[str, str]] = {}
        self.refused: Counter[str] = Counter()

    def good_rows(self) -> Iterator[Target]:
        for row in self._targets.rows():
            if isinstance(row, Bad):
                self.refused[row.reason] += 1
            else:
                yield row

    def take(self, outcome: Outcome) -> None:
        identity = outcome.target.id
        failure = outcome.failure
        if failure is None:
            self._in_a_row = 0
            self._new += outcome.is_new
            self._there += not outcome.is_new
            return
        # A file that was there is of another position, or not what it was.
        self._ledger.drop(identity)
        self.why[identity] = failure.reason, failure.detail
        self._in_a_row = self._in_a_row + 1 if failure.again else 0
        if self._in_a_row >= GIVE_UP_AFTER:
            raise SurveyError(
                f"{self._in_a_row} galaxies in a row failed, the last with {failure.reason} ({failure.detail}). "
                f"The server is not well: run the same command again later, it goes on from here."
            )

    def note(self) -> str:
        return f"{len(self.why)} failed" if self.why else ""

    def result(self) -> Fetched:
        counts = self.refused + Counter(reason for reason, _ in self.why.values())
        failed = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        if not len(self._ledger):
            told = ", ".join(f"{count} x {reason}" for reason, count in failed.items()) or "the table has no rows"
            raise SurveyError(f"not one galaxy could be fetched into {self._ledger.out}: {told}. "
                              "failed.csv there says more.")  # fmt: skip
        return Fetched(self._new, self._there, failed)

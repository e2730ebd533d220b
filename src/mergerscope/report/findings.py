"""What the numbers say at the top of the report: the headline, and warnings where they are thin or poor."""

from __future__ import annotations

from dataclasses import dataclass

from mergerscope.counts import plural
from mergerscope.report.evaluation import Evaluation, Metric, Row
from mergerscope.report.words import ENCODERS, decimal

__all__ = ["Headline", "Noun", "beats", "headline", "noun_of", "warnings_of"]

FEW_HIDDEN = 20
FEW_REFERENCES = 10


@dataclass(frozen=True, slots=True)
class Noun:
    """What is searched for."""

    one: str
    many: str


@dataclass(frozen=True, slots=True)
class Headline:
    """The top line: so many of the hidden are among the first k, against so many by chance."""

    k: int
    found: int
    hidden: int
    recall: Metric
    by_chance: float
    """Hidden mergers among the first k of a random order, expected."""
    on_average: bool
    """Whether the figures are means over several splits, of which ``hidden`` is a typical number."""


def noun_of(column: str) -> Noun:
    """Call the target a merger where the column is known to mean that, else a target."""
    is_merger = column in ("Class8.6", "p_merger") or "merg" in column.lower()
    return Noun("merger", "mergers") if is_merger else Noun("target", "targets")


def headline(evaluation: Evaluation) -> Headline | None:
    """The top line, or None where nothing was hidden and so nothing can be said."""
    row, k = evaluation.selected, evaluation.shown_k
    if row is None or k is None or not evaluation.hidden or not evaluation.pool:
        return None
    recall = row.at["recall_at"][k]
    if recall.value is None:
        return None
    expected = evaluation.hidden * min(1.0, k / evaluation.pool)
    found = round(recall.value * evaluation.hidden)
    return Headline(k, found, evaluation.hidden, recall, expected, evaluation.splits > 1)


def warnings_of(evaluation: Evaluation, references: int, noun: Noun) -> list[str]:
    """Say where the evaluation is too thin, or its outcome too poor, to be relied on."""
    found = []
    if references == 1:
        found.append(
            f"There is a single reference. The list is ordered by likeness to that one {noun.one} and finds what "
            f"looks like it, not {noun.many} in general."
        )
    elif references < FEW_REFERENCES:
        found.append(f"There are only {references} references: the list leans on the looks of a few {noun.many}.")
    if evaluation.hidden == 0:
        found.append(
            f"No known {noun.one} was hidden from the search, so nothing on this page measures how well the ranking "
            "works. Judge it by looking at the galleries."
        )
        return found
    if evaluation.hidden < FEW_HIDDEN:
        step = plural(round(100 / evaluation.hidden), "percentage point")
        found.append(
            f"Only {plural(evaluation.hidden, 'hidden ' + noun.one, 'hidden ' + noun.many)} stand behind every figure "
            f"here: one galaxy more or less moves recall by {step}. Read the intervals, not the values."
        )
    return found + _poor(evaluation)


def _poor(evaluation: Evaluation) -> list[str]:
    row = evaluation.selected
    if row is None:
        return ["No row of the evaluation is marked as selected; the figures below cannot tell which ranking was used."]
    found = []
    low = row.average_precision.low
    if low is not None and evaluation.chance is not None and low <= evaluation.chance:
        found.append("The chosen ranking cannot be told from chance: its interval of average precision reaches chance.")
    untrained = evaluation.best("untrained")
    if untrained and not beats(row, untrained):
        gain = "training gained" if row.encoder in ENCODERS else f"the vectors of {row.encoder} gain"
        found.append(
            f"The chosen row (average precision {decimal(row.average_precision.value)}) does not beat the best row of "
            f"the untrained network ({decimal(untrained.average_precision.value)}): {gain} nothing here."
        )
    return found


def beats(row: Row, other: Row) -> bool:
    """Whether a row has the higher average precision; intervals are left to the reader."""
    return (row.average_precision.value or 0.0) > (other.average_precision.value or 0.0)

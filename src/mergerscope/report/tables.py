"""Tables of the page: refused inputs, significance, and the choice of the ranker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mergerscope.report.evaluation import Evaluation
from mergerscope.report.words import decimal, is_number
from mergerscope.survey.records import Refusal

__all__ = ["RefusedGroup", "Rival", "Verdict", "choice_lines", "p_value", "refused_groups", "significance_lines"]

SMALLEST = -15
"""Exponent of ten below which a p is not told apart from others."""
EXAMPLES = 3
"""Refused inputs of one reason that are named."""


@dataclass(frozen=True, slots=True)
class RefusedGroup:
    """The inputs that one stage refused for one reason."""

    reason: str
    stage: str
    number: int
    examples: list[Refusal]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far the selected row is ahead of another in one metric, and what two tests say of that; as text."""

    difference: str
    welch_p: str
    permutation_p: str


@dataclass(frozen=True, slots=True)
class Rival:
    """A row that the selected one is tested against."""

    encoder: str
    ranker: str
    tests: dict[str, Verdict]
    """By metric: ``average_precision`` and ``precision_at``, the latter at the k of the headline."""


def refused_groups(refused: Sequence[Refusal]) -> list[RefusedGroup]:
    """Group refusals by stage and reason, the most frequent first, each with its first few inputs."""
    groups: dict[tuple[str, str], list[Refusal]] = {}
    for one in refused:
        groups.setdefault((one.stage, one.reason), []).append(one)
    found = [RefusedGroup(reason, stage, len(g), g[:EXAMPLES]) for (stage, reason), g in groups.items()]
    return sorted(found, key=lambda group: (-group.number, group.stage, group.reason))


def choice_lines(choice: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rankers of a cross-validation, best first; those without a value last."""
    lines = [
        {"chosen": line["ranker"] == choice["ranker"]}
        | {name: line.get(name) for name in ("ranker", "average_precision", "recall_at_k", "k")}
        for line in choice["table"]
    ]
    return sorted(lines, key=lambda line: -line["average_precision"] if is_number(line["average_precision"]) else 1.0)


def significance_lines(evaluation: Evaluation) -> list[Rival]:
    """The tests of significance.csv in average precision and in precision at the k of the headline, by rival."""
    metrics = {"average_precision": "average_precision", f"precision_at_{evaluation.shown_k}": "precision_at"}
    rivals: dict[tuple[str, str], Rival] = {}
    for line in evaluation.significance:
        key = line["encoder"], line["ranker"]
        if line["metric"] in metrics:
            test = Verdict(
                decimal(_number(line["difference"]), 3), p_value(_number(line["welch_p"])),
                p_value(_number(line["permutation_p"])),
            )  # fmt: skip
            rivals.setdefault(key, Rival(*key, {})).tests[metrics[line["metric"]]] = test
    return list(rivals.values())


def _number(text: str) -> float | None:
    return float(text) if text else None


def p_value(value: float | None) -> str:
    """A probability as papers print it: no more digits than it carries, and never zero."""
    if value is None or not is_number(value):
        return decimal(None)
    if value >= 0.0001:
        return f"{value:.2g}" if value < 0.1 else f"{value:.2f}"
    exponent = max(int(f"{value:e}".split("e")[1]) + 1, SMALLEST) if value > 0 else SMALLEST
    return f"< 1e{exponent}".replace("-", "\N{MINUS SIGN}")


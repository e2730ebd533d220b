"""What the evaluate stage wrote, typed: rows with intervals, and curves over k."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.report.words import is_number

__all__ = ["Curve", "Evaluation", "Metric", "Row", "load_evaluation", "read_csv", "read_json"]

AT_K = ("precision_at", "recall_at", "enrichment_at", "ndcg_at")


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure with its interval; None where it is not defined."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, tree: object) -> Metric:
        """From ``{"value", "low", "high"}`` as in metrics.json."""
        if not isinstance(tree, Mapping):
            return cls()
        return cls(*(float(tree[key]) if is_number(tree.get(key)) else None for key in ("value", "low", "high")))


@dataclass(frozen=True, slots=True)
class Row:
    """One encoder with one ranker."""

    encoder: str
    ranker: str
    selected: bool
    average_precision: Metric
    auroc: Metric
    at: dict[str, dict[int, Metric]]
    """``at["recall_at"][100]``; for precision, recall, enrichment and nDCG."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Precision and recall of one row over k; arrays of equal length, rising in k."""

    encoder: str
    ranker: str
    selected: bool
    k: np.ndarray
    columns: dict[str, np.ndarray]
    """``precision``, ``precision_low``, ``precision_high``, the same of ``recall``; nan where not defined."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything below results/evaluate/."""

    pool: int
    hidden: int
    chance: float | None
    splits: int
    """Role splits that the figures are means over."""
    rows: list[Row]
    curves: list[Curve]
    chance_curve: Curve | None
    significance: list[dict[str, str]]

    @property
    def selected(self) -> Row | None:
        """The row that ``ranker: auto`` chose for the trained encoder; None where nothing could be judged."""
        return next((row for row in self.rows if row.selected), None)

    @property
    def encoders(self) -> list[str]:
        """Of the rows: ours, or in its place the one whose vectors were imported, then the baselines."""
        return list(dict.fromkeys(row.encoder for row in self.rows))

    def best(self, encoder: str) -> Row | None:
        """The row to stand for an encoder: the selected one, or else that of the highest average precision."""
        rows = [row for row in self.rows if row.encoder == encoder]
        chosen = [row for row in rows if row.selected]
        return max(chosen or rows, key=lambda row: row.average_precision.value or 0.0, default=None)

    @property
    def shown_k(self) -> int | None:
        """The k of headline and tables: the smallest in the metrics that holds every hidden merger twice.

        Where that would be over half of the pool, as in a small survey, the number of hidden mergers itself.
        """
        row = self.selected
        known = sorted(k for k, metric in row.at["recall_at"].items() if metric.value is not None) if row else []
        wide = [k for k in known if 2 * self.hidden <= k <= self.pool / 2]
        if wide:
            return wide[0]
        return min(known, key=lambda k: abs(k - self.hidden), default=None)


def read_json(path: Path, made_by: str) -> dict[str, Any]:
    """Read a JSON object that an earlier stage wrote.

    Raises:
        MissingInputError: the file is not there.
        ContractError: it is not a JSON object.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingInputError(path, made_by) from None
    except json.JSONDecodeError as error:
        raise ContractError(f"{path} is no valid JSON ({error}). Run `mergerscope {made_by}` again.") from None
    if not isinstance(tree, dict):
        raise ContractError(f"{path} holds a {type(tree).__name__}, not an object. Run `mergerscope {made_by}` again.")
    return tree


def read_csv(path: Path, made_by: str) -> list[dict[str, str]]:
    """Read a table with a header that an earlier stage wrote, as text."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise MissingInputError(path, made_by) from None


def load_evaluation(folder: Path) -> Evaluation:
    """Read metrics.json, curves.csv and significance.csv.

    Raises:
        MissingInputError: one of them is not there.
        ContractError: one lacks a name of its contract.
    """
    tree = read_json(folder / "metrics.json", "evaluate")
    lines = read_csv(folder / "curves.csv", "evaluate")
    significance = read_csv(folder / "significance.csv", "evaluate")
    try:
        curves, chance = _curves(lines)
        return Evaluation(
            pool=int(tree["pool"]),
            hidden=int(tree["hidden"]),
            chance=float(tree["chance"]) if is_number(tree["chance"]) else None,
            splits=int(tree.get("splits", 1)),
            rows=[_row(row) for row in tree["rows"]],
            curves=curves,
            chance_curve=chance,
            significance=significance,
        )
    except KeyError as error:
        raise ContractError(f"{folder} lacks {error}. Run `mergerscope evaluate` again.") from None


def _row(tree: Mapping[str, Any]) -> Row:
    at = {name: {int(k): Metric.of(metric) for k, metric in tree[name].items()} for name in AT_K}
    average_precision, auroc = Metric.of(tree["average_precision"]), Metric.of(tree["auroc"])
    return Row(tree["encoder"], tree["ranker"], bool(tree["selected"]), average_precision, auroc, at)


def _curves(lines: list[dict[str, str]]) -> tuple[list[Curve], Curve | None]:
    """Group the lines by row; what chance gives is the same for all and is taken from the first."""
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for line in lines:
        groups.setdefault((line["encoder"], line["ranker"]), []).append(line)
    curves = []
    for (encoder, ranker), group in groups.items():
        group.sort(key=lambda line: int(line["k"]))
        names = [f"{name}{end}" for name in ("precision", "recall") for end in ("", "_low", "_high")]
        columns = {name: _numbers(group, name) for name in names}
        selected = group[0]["selected"].lower() in ("true", "1")
        curves.append(Curve(encoder, ranker, selected, _numbers(group, "k"), columns))
    if not curves:
        return [], None
    group = next(iter(groups.values()))
    chance = {name: _numbers(group, f"chance_{name}") for name in ("precision", "recall")}
    return curves, Curve("chance", "", False, _numbers(group, "k"), chance)


def _numbers(lines: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(line[name]) if line[name] else np.nan for line in lines])

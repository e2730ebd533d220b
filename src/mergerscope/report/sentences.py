"""A sentence of conclusion for each figure and table, made from the numbers that it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mergerscope.counts import count, plural
from mergerscope.report.evaluation import Evaluation, Metric
from mergerscope.report.findings import Noun
from mergerscope.report.inputs import Inputs
from mergerscope.report.training import Training
from mergerscope.report.words import decimal, encoder_name, interval, is_number, percent, ranker_name

LEVEL = 0.05
THE = {"untrained": "the untrained network", "rgb_pixels": "RGB pixels"}

__all__ = ["all_of", "choice_sentence", "curve_sentence", "table_sentence", "tiles", "training_sentence"]


def all_of(inputs: Inputs, noun: Noun) -> dict[str, str]:
    """The sentences by section."""
    return {
        "curves": curve_sentence(inputs.evaluation, noun),
        "table": table_sentence(inputs.evaluation),
        "significance": significance_sentence(inputs.evaluation),
        "choice": choice_sentence(inputs.rank_choice, inputs.evaluation, noun),
        "training": training_sentence(inputs.training),
    }


def tiles(evaluation: Evaluation) -> list[dict[str, str]]:
    """The four figures below the headline, each with its interval and with what chance gives."""
    row, k = evaluation.selected, evaluation.shown_k
    if row is None or k is None:
        return []
    average, chance = row.average_precision, evaluation.chance
    chance_recall = min(1.0, k / evaluation.pool) if evaluation.pool else None
    enrichment = row.at["enrichment_at"].get(k, Metric())
    values = [
        (f"recall at {count(k)}", percent(row.at["recall_at"][k].value), _percents(row.at["recall_at"][k]),
         f"chance {percent(chance_recall)}"),
        (f"precision at {count(k)}", percent(row.at["precision_at"][k].value), _percents(row.at["precision_at"][k]),
         f"chance {percent(chance)}"),
        ("average precision", decimal(average.value), interval(average.low, average.high), f"chance {decimal(chance)}"),
        (f"times chance in the first {count(k)}", decimal(enrichment.value, 1),
         interval(enrichment.low, enrichment.high, 1), "chance 1"),
    ]
    return [{"name": name, "value": value, "detail": f"{ends}; {beside}"} for name, value, ends, beside in values]


def curve_sentence(evaluation: Evaluation, noun: Noun) -> str:
    """The conclusion from the curves at the k of the headline."""
    row, k = evaluation.selected, evaluation.shown_k
    if row is None or k is None:
        return ""
    others = []
    for encoder in THE:
        best = evaluation.best(encoder)
        if best is not None and best.at["recall_at"].get(k, Metric()).value is not None:
            others.append(f"{percent(best.at['recall_at'][k].value)} with {THE[encoder]}")
    others.append(f"{percent(min(1.0, k / evaluation.pool))} by chance")
    recall = row.at["recall_at"][k]
    return (
        f"Of the first {count(k)}, {percent(row.at['precision_at'][k].value)} are {noun.many}, and they hold "
        f"{percent(recall.value)} ({_percents(recall)}) of the hidden {noun.many}, against {_listed(others)}."
    )


def table_sentence(evaluation: Evaluation) -> str:
    """Which row was chosen, and whether another did better on what was hidden."""
    row = evaluation.selected
    if row is None:
        return ""
    average = row.average_precision
    value = f"{decimal(average.value)} ({interval(average.low, average.high)})"
    chosen = f"The chosen row, {ranker_name(row.ranker)} on {encoder_name(row.encoder)}, has average precision {value}."
    best = max(evaluation.rows, key=lambda other: other.average_precision.value or 0.0)
    if decimal(best.average_precision.value) == decimal(average.value):
        return f"{chosen} No other row did better by a hundredth."
    return (
        f"{chosen} The best afterwards was {ranker_name(best.ranker)} on {encoder_name(best.encoder)} with "
        f"{decimal(best.average_precision.value)}; it was not chosen, because the hidden galaxies must not choose."
    )


def choice_sentence(choice: Mapping[str, Any], evaluation: Evaluation, noun: Noun) -> str:
    """How the ranker of the candidates was chosen, and whether the evaluation chose the same."""
    chosen = str(choice["ranker"])
    values = [line["average_precision"] for line in choice["table"] if line["ranker"] == chosen]
    if len(choice["table"]) < 2:
        return f"The ranker was set to {ranker_name(chosen)} in params.yaml."
    if not values or not is_number(values[0]):
        return f"There are too few references to try the rankers out on them; {ranker_name(chosen)} is the simplest."
    how = (
        f"Every ranker searched for known {noun.many} that were held back from it, and the best, "
        f"{ranker_name(chosen)}, ordered the candidates. The evaluation chose in the same way "
        "among its own references, without the hidden ones"
    )
    row = evaluation.selected
    if row is None or row.ranker == chosen:
        return f"{how}."
    return f"{how}: that fell on {ranker_name(row.ranker)}, whose figures are the ones measured here."


def significance_sentence(evaluation: Evaluation) -> str:
    """Over how many rivals the chosen row's lead in average precision is more than luck."""
    tested = [
        (float(line["difference"]), float(line["permutation_p"]))
        for line in evaluation.significance
        if line["metric"] == "average_precision" and line["difference"] and line["permutation_p"]
    ]
    ahead = sum(difference > 0 and p < LEVEL for difference, p in tested)
    behind = sum(difference < 0 and p < LEVEL for difference, p in tested)
    said = (
        f"In average precision the chosen row leads {count(ahead)} of {plural(len(tested), 'rival')} by more than luck "
        f"would (p below {LEVEL:g} in the permutation test)"
    )
    if behind:
        said += f", and trails {count(behind)} by as much"
    return f"{said}. Rivals are, of every other encoder, the published ranker and the best one in hindsight."


def training_sentence(training: Training) -> str:
    """Where the validation score ended, against the untrained network."""
    scores = training.metrics.get("validation", {})
    trained, before = (scores.get(which, {}).get("average_precision") for which in ("trained", "untrained"))
    if not is_number(trained) or not is_number(before):
        return "There were too few references to validate on."
    verdict = "so training helped" if trained > before else "so training did not help"
    return (
        f"On references hidden for validation, average precision went from {decimal(before)} untrained to "
        f"{decimal(trained)}, {verdict}."
    )


def _percents(metric: Metric) -> str:
    return f"{percent(metric.low)} to {percent(metric.high)}"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]

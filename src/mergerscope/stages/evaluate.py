"""Judge the ranking on the hidden mergers, beside every baseline."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mergerscope.errors import ContractError
from mergerscope.learn.baseline import moco_references_embedding, pixel_embedding, untrained_embedding
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import console, progress
from mergerscope.search.baselines import pca_pixels
from mergerscope.search.choose import Choice, choose_by_labels
from mergerscope.search.evaluation import Comparison, Row, Trial
from mergerscope.search.labels import Labels
from mergerscope.search.rankers import NEED_PAIRS_HEAD, available
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write import number, write_csv, write_json
from mergerscope.survey.catalog_file import Catalog, read_catalog
from mergerscope.tracking.champion import champion_run

__all__ = ["run"]

PAPER = "mean_cosine"
"""The published ranker: every encoder is judged with it."""

STRONG = "density"
"""The ranker beside it for encoders that are judged with two, where the chosen one needs a `pairs` head."""

AT_K = ("precision_at", "recall_at", "enrichment_at", "ndcg_at")

CURVE_COLUMNS = (
    "encoder", "ranker", "selected", "k", "precision", "precision_low", "precision_high", "recall", "recall_low",
    "recall_high", "chance_precision", "chance_recall",
)  # fmt: skip

TEST_COLUMNS = (
    "encoder", "ranker", "metric", "difference", "welch_t", "welch_degrees", "welch_p", "permutation_p",
)  # fmt: skip


def run(paths: Paths, params: Params) -> None:
    """Judge the ranking on the hidden mergers, beside every baseline.

    Each encoder and ranker puts the hidden mergers and the pool in order by their likeness to the references, over
    several splits of the known mergers. References are left out of the list, and so are galaxies with the pixels of a
    known merger and, by default, galaxies without a vote. A figure is the mean over the splits; its interval comes
    from drawing galaxies and splits anew (`mergerscope.search.bootstrap`). Pool, hidden and chance are those of the
    catalogue's own split.

    One row is selected: the trained encoder with the ranker that cross-validation on the references of that split
    chose, or with `rank.ranker`. The hidden mergers of the own split had no part in it. In the further splits some of
    them are references, and some references are hidden; the ranker stays the same, and so does the
    `moco_references` network, which has then seen images of galaxies that it is asked to find: an advantage over
    the others, left to it.

    Raises:
        MissingInputError: catalogue, shards, embeddings or the champion are not there.
        ContractError: they do not belong together.
        TrackingError: the MLflow store cannot be used.
    """
    catalog, trained = read_catalog(paths.catalog), EmbeddingStore.open(paths.embeddings)
    labels = Labels.of(catalog, trained.ids)
    trial = Trial.of(catalog, labels, params.split, params.evaluate)
    choice = choose_by_labels(trained, labels, labels.references, params)
    rows = list(_judge_all(paths, params, catalog, trained, trial, choice.ranker))
    selected = next(row for row in rows if (row.encoder, row.ranker) == (_own(trained), choice.ranker))
    tests = trial.compare(selected, _rivals(rows), params.split.seed) if trial.hidden else []
    _write(paths.evaluate_results, trial, choice, rows, selected, tests, references=len(labels.references))
    _log(paths, trial, rows, selected)
    shutil.rmtree(paths.scratch / "evaluate", ignore_errors=True)


def _judge_all(
    paths: Paths, params: Params, catalog: Catalog, trained: EmbeddingStore, trial: Trial, chosen: str
) -> Iterator[Row]:
    few = tuple(dict.fromkeys((PAPER, STRONG if chosen in NEED_PAIRS_HEAD else chosen)))
    scratch = paths.scratch / "evaluate"
    shutil.rmtree(scratch / "embeddings", ignore_errors=True)

    def folder(name: str) -> Path:
        return scratch / "embeddings" / name

    def judge(encoder: str, store: EmbeddingStore, rankers: Sequence[str]) -> list[Row]:
        if trained.origin is not None and store.size > trained.size:
            # Others than we may have left galaxies out: all are judged on those that they have.
            store = store.subset(store.index_of(trained.ids))
        if not np.array_equal(store.ids, trained.ids):
            raise ContractError(
                f"{paths.embeddings} holds {trained.size} galaxies and {paths.shards} other ones ({store.size}). "
                "Run `mergerscope embed` again."
            )
        with progress(f"evaluate: {encoder}", len(rankers), "rankers") as advance:
            return trial.run(encoder, store, rankers, params.rank, lambda name: advance(1, name))

    yield from judge(_own(trained), trained, available(trained))
    untrained = untrained_embedding(params, paths.shards, catalog, folder("untrained"))
    yield from judge("untrained", untrained, available(untrained))
    pixels = pixel_embedding(params, paths.shards, folder("rgb_pixels"))
    yield from judge("rgb_pixels", pixels, few)
    components = pca_pixels(pixels)
    yield from judge("pca_pixels", components, available(components))
    seed = moco_references_embedding(params, paths.shards, catalog, folder("moco_references"), scratch / "seed")
    if seed is None:
        console.print("evaluate: moco_references is left out, for it needs two references to train on")
    else:
        yield from judge("moco_references", seed, few)


def _own(store: EmbeddingStore) -> str:
    """Return what the encoder of the embeddings is called: by its origin where they were imported."""
    return store.origin or "trained"


def _rivals(rows: Sequence[Row]) -> list[Row]:
    """The rows that the selected one is tested against: of each other encoder the published and the best ranker.

    The best is the one of highest average precision on the hidden mergers, which is more than a user could know:
    it makes the tests harder for the selected row, never easier.
    """
    found = []
    # The encoder that is judged comes first.
    for encoder in dict.fromkeys(row.encoder for row in rows if row.encoder != rows[0].encoder):
        own = [row for row in rows if row.encoder == encoder]
        best = max(own, key=lambda row: np.nan_to_num(row.metrics["average_precision"].value))
        found += [row for row in own if row.ranker == PAPER or row is best]
    return found


def _write(
    folder: Path, trial: Trial, choice: Choice, rows: Sequence[Row], selected: Row, tests: Sequence[Comparison],
    references: int,
) -> None:
    lines = [
        [
            test.encoder, test.ranker, test.metric, number(test.difference), number(test.welch.t),
            number(test.welch.degrees), *(_p(value) for value in (test.welch.p, test.permutation_p)),
        ]
        for test in tests
    ]  # fmt: skip
    write_json(folder / "metrics.json", {
        "pool": trial.pool,
        "hidden": trial.hidden,
        "chance": number(trial.chance),
        "splits": len(trial.splits),
        "selected": _headline(selected),
        "rows": [_tree(row, trial.depths, row is selected) for row in rows],
        "significance": {
            "selected": {"encoder": selected.encoder, "ranker": selected.ranker},
            "comparisons": [dict(zip(TEST_COLUMNS, line, strict=True)) for line in lines],
        },
    })
    write_csv(folder / "curves.csv", CURVE_COLUMNS, _curve_lines(trial, rows, selected))
    write_csv(folder / "significance.csv", TEST_COLUMNS, lines)
    write_json(folder / "choice.json", {
        "ranker": choice.ranker, "reason": choice.reason, "references": references, "table": choice.table,
    })


def _headline(row: Row) -> dict[str, Any]:
    """The selected row's first figures, outside of the list: `dvc metrics` shows numbers, not lists."""
    names = ("average_precision", "auroc", "precision_at_100", "recall_at_100")
    return {"ranker": row.ranker, **{name: number(row.metrics[name].value) for name in names if name in row.metrics}}


def _tree(row: Row, depths: Sequence[int], selected: bool) -> dict[str, Any]:
    def interval(name: str) -> dict[str, float | None]:
        found = row.metrics[name]
        return {"value": number(found.value), "low": number(found.low), "high": number(found.high)}

    return {
        "encoder": row.encoder,
        "ranker": row.ranker,
        "selected": selected,
        "average_precision": interval("average_precision"),
        "auroc": interval("auroc"),
        **{name: {str(k): interval(f"{name}_{k}") for k in depths} for name in AT_K},
    }


def _curve_lines(trial: Trial, rows: Sequence[Row], selected: Row) -> Iterator[list[Any]]:
    for row in rows:
        for k in trial.curve:
            figures = (row.metrics[f"{name}_at_{k}"] for name in ("precision", "recall"))
            values = [number(value) for one in figures for value in (one.value, one.low, one.high)]
            chance = [number(trial.chance), number(k / trial.pool)]
            yield [row.encoder, row.ranker, str(row is selected).lower(), k, *values, *chance]


def _p(value: float) -> float | None:
    """A probability keeps three digits, however small it is."""
    return float(f"{value:.3g}") if np.isfinite(value) else None


def _log(paths: Paths, trial: Trial, rows: Sequence[Row], selected: Row) -> None:
    tracked = champion_run(paths)
    at_k = [f"{name}_at_{k}" for k in trial.depths for name in ("precision", "recall")]
    figures = {name: selected.metrics[name].value for name in ("average_precision", "auroc", *at_k)}
    untrained = [row.metrics["average_precision"].value for row in rows if row.encoder == "untrained"]
    figures["average_precision_untrained"] = max(untrained)
    # The run is the champion's, and these figures may be of imported vectors.
    prefix = "hidden" if selected.encoder == "trained" else f"{selected.encoder}_hidden"
    tracked.log_summary({f"{prefix}_{name}": number(value) for name, value in figures.items()})
    for name in ("metrics.json", "curves.csv", "significance.csv", "choice.json"):
        tracked.log_table(paths.evaluate_results / name, f"evaluate_{name}")

"""Order every galaxy by its likeness to the known mergers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import progress
from mergerscope.search.choose import Choice, choose_by_labels
from mergerscope.search.labels import Labels
from mergerscope.search.nearest import nearest_references
from mergerscope.search.rankers import score
from mergerscope.search.shortlist import rank_order
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write import write_json
from mergerscope.survey.catalog_file import Catalog, read_catalog
from mergerscope.tracking.champion import champion_run

__all__ = ["run"]

Array = np.ndarray[Any, Any]

NEAREST = 3
"""References named beside each candidate."""


def run(paths: Paths, params: Params) -> None:
    """Order every galaxy by its likeness to the known mergers.

    All known mergers are references, also those that `evaluate` hid. With ``rank.ranker: auto`` the ranker is chosen
    anew by cross-validation over them. ``results/rank/candidates.parquet`` and ``.csv`` hold every other galaxy, best
    first: rank, id, position, score, the three references that it is most like with the whitened cosine similarity
    to each, and its votes where known. Equal scores are in the order of the ids.

    A galaxy that has the pixels of a known merger under another id is no find: such twins are left out of the list,
    and counted in ``metrics.json`` as ``twins_of_references``. References, twins and candidates together are all
    galaxies that were embedded.

    Raises:
        MissingInputError: catalogue, embeddings or the champion are not there.
        ContractError: they do not belong together, or no galaxy is a known merger.
        TrackingError: the MLflow store cannot be used.
    """
    catalog, store = read_catalog(paths.catalog), EmbeddingStore.open(paths.embeddings)
    labels = Labels.of(catalog, store.ids)
    references = labels.all_known
    twins = labels.twins(references)
    with progress("rank", 3, "steps") as advance:
        choice = choose_by_labels(store, labels, references, params)
        advance(1, f"ranker: {choice.ranker}")
        scores = score(choice.ranker, store, references, params.rank, twins)
        advance(1, "scored")
        table = _candidates(catalog, store, labels, references, twins, scores)
        advance(1, "nearest references found")
    _write_tables(paths.rank_results, table)
    found = {"references": len(references), "twins_of_references": len(twins), "candidates": table.num_rows}
    write_json(paths.rank_results / "choice.json", {
        "ranker": choice.ranker, "reason": choice.reason, **found, "table": choice.table,
    })  # fmt: skip
    validation = _validation(choice)
    write_json(paths.rank_results / "metrics.json", {**found, "ranker": choice.ranker, "validation": validation})
    _log(paths, table.slice(0, params.rank.top), validation)


def _candidates(
    catalog: Catalog, store: EmbeddingStore, labels: Labels, references: Array, twins: Array, scores: Array
) -> pa.Table:
    """Return one row for each galaxy that is neither a reference nor the twin of one, best first."""
    others = np.setdiff1d(np.arange(store.size), np.concatenate([references, twins]))
    ranked = others[rank_order(scores[others], store.ids[others])]
    near, similarity = nearest_references(store, ranked, references, NEAREST)
    rows = labels.rows[ranked]
    names, there = store.ids[near], near >= 0
    columns: dict[str, pa.Array] = {
        "rank": pa.array(np.arange(1, len(ranked) + 1)),
        "id": pa.array(store.ids[ranked]),
        "ra_deg": _nullable(catalog.ra_deg[rows]),
        "dec_deg": _nullable(catalog.dec_deg[rows]),
        "score": pa.array(scores[ranked]),
    }
    for place in range(NEAREST):
        columns[f"nearest_reference_{place + 1}"] = pa.array(names[:, place], mask=~there[:, place])
    for place in range(NEAREST):
        columns[f"similarity_{place + 1}"] = _nullable(similarity[:, place])
    for name in catalog.vote_columns:
        columns[name if name not in columns else f"vote_{name}"] = _nullable(catalog.votes(name)[rows])
    return pa.table(columns)


def _nullable(values: Array) -> pa.Array:
    return pa.array(values, mask=~np.isfinite(values))


def _write_tables(folder: Path, table: pa.Table) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / "candidates.parquet.new"
    pq.write_table(table, fresh, compression="zstd")
    fresh.replace(folder / "candidates.parquet")
    fresh = folder / "candidates.csv.new"
    _write_csv(table, fresh)
    fresh.replace(folder / "candidates.csv")


def _write_csv(table: pa.Table, path: Path) -> None:
    pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(quoting_style="needed"))


def _validation(choice: Choice) -> dict[str, float | None]:
    """What the chosen ranker reached on held-out references."""
    line = next(line for line in choice.table if line["ranker"] == choice.ranker)
    return {name: line[name] for name in ("average_precision", "recall_at_k", "k", "folds")}


def _log(paths: Paths, shortlist: pa.Table, validation: dict[str, float | None]) -> None:
    tracked = champion_run(paths)
    tracked.log_summary({
        "rank_validation_average_precision": validation["average_precision"],
        "rank_validation_recall": validation["recall_at_k"],
    })
    with tempfile.TemporaryDirectory() as place:
        # The whole list may be millions of rows; the run keeps its top.
        path = Path(place) / "shortlist.csv"
        _write_csv(shortlist, path)
        tracked.log_table(path)
    tracked.log_table(paths.rank_results / "choice.json", "rank_choice.json")

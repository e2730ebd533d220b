"""Everything that the report reads, gathered once and checked against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.report.completeness import Completeness, load_completeness
from mergerscope.report.evaluation import Evaluation, load_evaluation, read_json
from mergerscope.report.training import Training, load_training
from mergerscope.search.labels import Labels
from mergerscope.search.store import EmbeddingStore
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_images
from mergerscope.shards.shown import shown_bytes, stretch_of
from mergerscope.survey.catalog import Catalog, read_catalog

__all__ = ["Candidates", "Inputs", "load_inputs"]

Array = np.ndarray[Any, Any]

CANDIDATE_COLUMNS = ("id", "rank", "score", "nearest_reference_1", "similarity_1")


@dataclass(frozen=True, slots=True)
class Candidates:
    """The ranked list, best first."""

    table: pa.Table
    """Columns `CANDIDATE_COLUMNS`, sorted by rank; only slices of it are taken out of Arrow."""

    @property
    def total(self) -> int:
        """Galaxies in the list."""
        return int(self.table.num_rows)

    def part(self, start: int, count: int) -> dict[str, list[Any]]:
        """Some rows from index ``start`` on, by column; None where a value is not known."""
        return dict(self.table.slice(start, count).to_pydict())


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the earlier stages wrote."""

    paths: Paths
    params: Params
    catalog: Catalog
    manifest: Manifest
    store: EmbeddingStore
    labels: Labels
    """What the catalogue knows of each row of the store."""
    training: Training
    evaluation: Evaluation
    candidates: Candidates
    rank_choice: dict[str, Any]
    receipt: dict[str, Any]
    completeness: Completeness | None
    """Where ``report.completeness`` asks for it."""

    @property
    def votes(self) -> Array:
        """(N,) votes for the target, nan where unknown, in the order of the store."""
        return self.labels.vote

    def pictures(self, ids: Sequence[str]) -> npt.NDArray[np.uint8]:
        """Return the cutouts of some galaxies as they are shown: (n, C, H, W), red first."""
        images = read_images(self.paths.shards, self.manifest, ids)
        return shown_bytes(images, stretch_of(self.params, self.manifest))

    @property
    def input_words(self) -> str:
        """What a client of the model sends."""
        sides = ", ".join(str(side) for side in self.manifest.image_shape)
        if self.manifest.dtype == "uint8":
            return f"uint8, shape (n, {sides})"
        bands = ", ".join(self.manifest.bands)
        return f"float32, shape (n, {sides}): flux in {bands}, {self.manifest.unit} a pixel"

    @property
    def known(self) -> Array:
        """(N,) whether a galaxy is a known merger, in the order of the store."""
        return self.labels.known


def load_inputs(paths: Paths, params: Params) -> Inputs:
    """Read what the stages before wrote.

    Raises:
        MissingInputError: a file is not there; the message names the stage that writes it.
        ContractError: a file lacks what its contract promises, or two files do not belong together.
    """
    catalog = read_catalog(paths.catalog)
    store = EmbeddingStore.open(paths.embeddings)
    receipt = read_json(paths.champion, "register")
    rank_choice = _rank_choice(paths)
    _check_model(receipt, read_json(paths.embeddings / "meta.json", "embed"))
    return Inputs(
        paths=paths,
        params=params,
        catalog=catalog,
        manifest=Manifest.load(paths.manifest),
        store=store,
        labels=Labels.of(catalog, store.ids),
        training=load_training(paths.train_results),
        evaluation=load_evaluation(paths.evaluate_results),
        candidates=_candidates(paths),
        rank_choice=rank_choice,
        receipt=receipt,
        completeness=(
            load_completeness(paths, receipt, rank_choice["ranker"]) if params.report.completeness else None
        ),
    )


def _check_model(receipt: dict[str, Any], meta: dict[str, Any]) -> None:
    """The page names the champion as what made the embeddings, so it must have; else where they were imported from."""
    if "origin" in meta:
        return
    champion, used = receipt["weights_sha256"], meta["model"]["weights_sha256"]
    if champion != used:
        raise ContractError(
            f"embeddings/ were made by the weights {used[:12]}, and the champion has {champion[:12]}. "
            "Run `mergerscope embed`, or `dvc repro`."
        )


def _rank_choice(paths: Paths) -> dict[str, Any]:
    path = paths.rank_results / "choice.json"
    choice = read_json(path, "rank")
    if not {"ranker", "table"} <= set(choice):
        raise ContractError(f"{path} lacks `ranker` or `table`. Run `mergerscope rank` again.")
    return choice


def _candidates(paths: Paths) -> Candidates:
    path = paths.rank_results / "candidates.parquet"
    if not path.is_file():
        raise MissingInputError(path, "rank")
    missing = set(CANDIDATE_COLUMNS) - set(pq.read_schema(path).names)
    if missing:
        raise ContractError(f"{path} lacks the columns {', '.join(sorted(missing))}. Run `mergerscope rank` again.")
    return Candidates(pq.read_table(path, columns=list(CANDIDATE_COLUMNS)).sort_by("rank"))

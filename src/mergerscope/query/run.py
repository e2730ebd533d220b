"""`mergerscope search`: gather the queries, find what is like them, write and show it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console

from mergerscope.counts import count
from mergerscope.files import write_text
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import console
from mergerscope.query import table as tables
from mergerscope.query.examples import Examples, collect
from mergerscope.query.request import Request
from mergerscope.query.sheet import SHOWN, Tile, save_contact_sheet
from mergerscope.search.alike import Found, Queries, most_alike
from mergerscope.search.indexed import open_index
from mergerscope.search.labels import Labels
from mergerscope.search.moments import pool_moments
from mergerscope.search.store import EmbeddingStore
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_images
from mergerscope.shards.shown import shown_bytes, stretch_of
from mergerscope.survey.catalog_file import read_catalog
from mergerscope.survey.records import Refusal
from mergerscope.survey.refusals import refusals_csv

__all__ = ["run"]

Array = np.ndarray[Any, Any]


def run(paths: Paths, params: Params, request: Request) -> None:
    """Find the galaxies of the survey that are most like what was asked for.

    Writes into the folder asked for ``similar.csv``, ``similar.parquet`` and ``similar.png``, and ``refused.csv``
    where pictures of a folder could not be used. A galaxy that is searched for is not found itself.

    Raises:
        QueryError: an id is not in the survey, no galaxy is at a position, or a picture cannot be used.
        MissingInputError: catalogue, shards, embeddings or the champion are not there.
        ContractError: they do not belong together.
        ParameterError: the stretch that the parameters name does not fit the flux in the shards.
        TrackingError: pictures are given, and the MLflow store cannot be used.
    """
    catalog, store = read_catalog(paths.catalog), EmbeddingStore.open(paths.embeddings)
    labels = Labels.of(catalog, store.ids)
    examples = collect(request, paths, params, catalog, store, labels.rows)
    found, queries = _find(paths, store, examples, request)
    names = examples.names(store)
    table = tables.found_table(found, store.ids, labels.rows, names, catalog)
    out = request.out or paths.search_results
    tables.write_table(table, out)
    _draw(paths, params, store, examples, queries, found, names, out / "similar.png")
    _tell_refused(examples.refused, len(examples.pictures), out)
    _show(table, len(names), out)


def _find(paths: Paths, store: EmbeddingStore, examples: Examples, request: Request) -> tuple[Found, Queries]:
    # The index brings the survey's moments along, which else cost a pass over all embeddings.
    index = open_index(store, paths.embeddings, paths.indexes, request.index) if request.index else None
    queries = Queries.of(pool_moments(store), examples.vectors, examples.owner)
    if index is None:
        return most_alike(store, queries, request.top, examples.galaxies), queries
    return index.most_alike(store, queries, request.top, examples.galaxies), queries


def _draw(
    paths: Paths, params: Params, store: EmbeddingStore, examples: Examples, queries: Queries, found: Found,
    names: Sequence[str], path: Path,
) -> None:
    manifest = Manifest.load(paths.manifest)
    some, asked = found.rows[: SHOWN["found"]], examples.galaxies[: SHOWN["queries"]]
    kept = read_images(paths.shards, manifest, store.ids[[*asked, *some]].tolist())
    stretch = stretch_of(params, manifest)
    images = shown_bytes(kept, stretch)
    tiles = [Tile(image, name, "of the survey") for image, name in zip(images, names[: len(asked)], strict=False)]
    if len(some):
        liked = queries.nearest_vectors(store, some)
        for number, picture in enumerate(examples.pictures, start=len(examples.galaxies)):
            first = int(np.flatnonzero(examples.owner == number)[0])
            field = liked[number] - first
            image = shown_bytes(picture.cutouts[field], stretch)
            tiles.append(Tile(image, picture.name, f"field {picture.fields[field]:.3g}"))
    tiles = tiles[: SHOWN["queries"]]
    similar = [
        Tile(image, str(store.ids[row]), f"#{place}  {similarity:.2f}") for place, (image, row, similarity)
        in enumerate(zip(images[len(asked) :], some, found.similarity, strict=False), start=1)
    ]  # fmt: skip
    save_contact_sheet(tiles, similar, path, (len(names) - len(tiles), len(found.rows) - len(some)))


def _tell_refused(refused: Sequence[Refusal], used: int, out: Path) -> None:
    path = out / "refused.csv"
    path.unlink(missing_ok=True)  # of an earlier search
    if not refused:
        return
    write_text(path, refusals_csv(refused))
    for refusal in refused:
        console.print(f"search: {refusal.source} is left out ({refusal.reason}): {refusal.detail}",
                      highlight=False, markup=False, soft_wrap=True)
    console.print(f"search: {used} pictures are used and {len(refused)} are not, see {path}",
                  highlight=False, markup=False, soft_wrap=True)


def _show(table: pa.Table, queries: int, out: Path) -> None:
    screen = Console()
    screen.print(tables.as_text(table, queries))
    more = table.num_rows - tables.SHOWN
    what = f"{count(more)} more, and the pictures: " if more > 0 else "table and pictures: "
    screen.print(f"{what}{out / 'similar.csv'}, {out / 'similar.png'}", highlight=False, markup=False, soft_wrap=True)

"""What galaxies are searched for, from everything that a request names: their vectors, and what to show of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mergerscope.errors import ContractError, QueryError
from mergerscope.learn.device import pick_device
from mergerscope.learn.embed import embed_images
from mergerscope.params import EmbedParams
from mergerscope.paths import Paths
from mergerscope.progress import console
from mergerscope.query.pictures import Picture, read_pictures
from mergerscope.query.request import Request
from mergerscope.query.sky import nearest_on_sky
from mergerscope.search.store import EmbeddingStore
from mergerscope.shards.manifest import Manifest
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.records import Refusal
from mergerscope.tracking.embedder import load_embedder

__all__ = ["Examples", "collect"]

Array = np.ndarray[Any, Any]

PICTURE_DTYPE = "uint8"


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """The queries of one search, galaxies of the survey first.

    Attributes:
        galaxies: row numbers in the store of those that are in the survey.
        pictures: those that are not.
        vectors: (V, D) embeddings: of each galaxy one, of each picture one a field.
        owner: (V,) number of the query that each vector belongs to.
        refused: pictures of folders that could not be used.
    """

    galaxies: list[int]
    pictures: list[Picture]
    vectors: Array
    owner: Array
    refused: list[Refusal]

    def names(self, store: EmbeddingStore) -> list[str]:
        """Return what each query is called: the id of a galaxy, or a picture's file."""
        return [*store.ids[self.galaxies].tolist(), *(picture.name for picture in self.pictures)]


def collect(
    request: Request, paths: Paths, settings: EmbedParams, catalog: Catalog, store: EmbeddingStore, rows: Array
) -> Examples:
    """Gather the queries.

    Args:
        request: what was asked for.
        paths: of the project.
        settings: how the survey was embedded, and so are pictures.
        catalog: for positions.
        store: the embeddings.
        rows: (N,) row of each embedded galaxy in the catalogue.

    Raises:
        QueryError: an id is not in the survey, no galaxy is at a position, or a picture cannot be used.
        MissingInputError: shards, embeddings or the champion are not there.
        ContractError: pictures are not what this survey can be searched with, or model and embeddings do not fit.
        TrackingError: the store holds no champion.
    """
    numbers = [_row_of(name, store, catalog) for name in request.ids]
    for text in request.positions:
        number, separation = nearest_on_sky(
            text, catalog.ra_deg[rows], catalog.dec_deg[rows], store.ids, request.radius_arcsec
        )
        console.print(f"search: at {text} is galaxy {store.ids[number]}, {separation:.2f} arcsec away",
                      highlight=False, markup=False, soft_wrap=True)
        numbers.append(number)
    galaxies = list(dict.fromkeys(numbers))
    vectors, owner = [store.rows(galaxies)], list(range(len(galaxies)))
    pictures, refused = _pictures(request, paths)
    if pictures:
        vectors.append(_embedded(pictures, paths, settings))
        for number, picture in enumerate(pictures, start=len(galaxies)):
            owner += [number] * len(picture.fields)
    return Examples(galaxies, pictures, np.concatenate(vectors), np.asarray(owner), refused)


def _row_of(name: str, store: EmbeddingStore, catalog: Catalog) -> int:
    try:
        return int(store.index_of([name])[0])
    except ContractError:
        inside = name in catalog.ids
    what = "is in the catalogue and has no embedding: its image was refused, or none was imported" if inside else (
        f"is no galaxy of the survey, whose ids are like {store.ids[0]}"
    )
    raise QueryError(f"--id {name} {what}.") from None


def _pictures(request: Request, paths: Paths) -> tuple[list[Picture], list[Refusal]]:
    if not request.images:
        return [], []
    manifest = Manifest.load(paths.manifest)
    if manifest.dtype != PICTURE_DTYPE:
        raise ContractError(
            f"the survey holds {manifest.dtype} flux, with which a JPEG or PNG cannot be compared. Search by --id or "
            "--position, or add the galaxy to the survey."
        )
    return read_pictures(request.images, request.field, manifest.image_shape[1])


def _embedded(pictures: list[Picture], paths: Paths, settings: EmbedParams) -> Array:
    encoder, _ = load_embedder(paths, settings.views)
    images = np.concatenate([picture.cutouts for picture in pictures])
    embedded = embed_images(
        encoder, images, views=settings.views, batch_size=settings.batch_size, device=pick_device(settings.device)
    )
    # float16, as `embed` keeps them
    return embedded.embedding.astype(np.float16).astype(np.float32)

"""What galaxies are searched for, from everything that a request names: their vectors, and what to show of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mergerscope.errors import ContractError, QueryError
from mergerscope.learn.device import pick_device
from mergerscope.learn.embed import embed_images
from mergerscope.params import EmbedParams, Params
from mergerscope.paths import Paths
from mergerscope.progress import console
from mergerscope.query.flux_cutter import FluxCutter
from mergerscope.query.pictures import Cutter, Picture, PictureCutter, read_pictures
from mergerscope.query.request import Request
from mergerscope.query.sky import nearest_on_sky
from mergerscope.search.store import EmbeddingStore
from mergerscope.shards.flux_cutout import FluxPacking
from mergerscope.shards.manifest import Manifest
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.records import Refusal
from mergerscope.tracking.embedder import load_embedder

__all__ = ["Examples", "collect"]

Array = np.ndarray[Any, Any]


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
    request: Request, paths: Paths, params: Params, catalog: Catalog, store: EmbeddingStore, rows: Array
) -> Examples:
    """Gather the queries.

    Args:
        request: what was asked for.
        paths: of the project.
        params: how the survey was embedded, and so are images from outside.
        catalog: for positions, bands and unit.
        store: the embeddings.
        rows: (N,) row of each embedded galaxy in the catalogue.

    Raises:
        QueryError: an id is not in the survey, no galaxy is at a position, or a picture cannot be used.
        MissingInputError: shards, embeddings or the champion are not there.
        ContractError: catalogue and shards, or model and embeddings, do not fit.
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
    pictures, refused = _pictures(request, paths, catalog)
    if pictures:
        vectors.append(_embedded(pictures, paths, params.embed))
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


def _pictures(request: Request, paths: Paths, catalog: Catalog) -> tuple[list[Picture], list[Refusal]]:
    if not request.images:
        return [], []
    cut = _cutter(request, Manifest.load(paths.manifest), catalog)
    pictures, refused = read_pictures(request.images, cut)
    for picture in pictures:
        if picture.note:
            console.print(f"search: {picture.name}: {picture.note}", highlight=False, markup=False, soft_wrap=True)
    return pictures, refused


def _cutter(request: Request, manifest: Manifest, catalog: Catalog) -> Cutter:
    size = manifest.image_shape[1]
    if manifest.dtype == "uint8":
        return PictureCutter(request.field, size)
    if catalog.flux is None or catalog.flux.bands != manifest.bands:
        raise ContractError(
            f"the shards hold {manifest.dtype} flux in the bands {', '.join(manifest.bands)}, and the catalogue is of "
            "something else. Run `dvc repro`."
        )
    # what params.yaml says now may not be what the shards were made with
    if manifest.missing_bands is None or manifest.mask_bits is None:
        raise ContractError(
            "the shards are of an earlier version and do not tell the flux.missing_bands and flux.mask_bits that they "
            "were made with, by which an image is to be read. Run `dvc repro`."
        )
    spec = replace(catalog.flux, mask_bits=manifest.mask_bits)
    packing = FluxPacking(spec, manifest.missing_bands == "fill", manifest.binning)
    return FluxCutter(packing, manifest.crop, size, manifest.sampling, request.field)


def _embedded(pictures: list[Picture], paths: Paths, settings: EmbedParams) -> Array:
    encoder, _ = load_embedder(paths, settings.views)
    images = np.concatenate([picture.cutouts for picture in pictures])
    embedded = embed_images(
        encoder, images, views=settings.views, batch_size=settings.batch_size, device=pick_device(settings.device)
    )
    # float16, as `embed` keeps them
    return embedded.embedding.astype(np.float16).astype(np.float32)

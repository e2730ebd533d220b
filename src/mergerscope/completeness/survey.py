"""What `mergerscope rank` has left, gathered and checked: the survey into which mergers are injected."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.learn.device import pick_device
from mergerscope.learn.embed import embed_images
from mergerscope.learn.encoder import Encoder
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import Advance
from mergerscope.search.labels import Labels
from mergerscope.search.rankers import score
from mergerscope.search.store import EmbeddingStore
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.sample import Pixels
from mergerscope.shards.shown import stretch_of
from mergerscope.survey.catalog_file import read_catalog
from mergerscope.survey.roles import POOL
from mergerscope.survey.stretch import FluxStretch
from mergerscope.tracking.embedder import load_embedder

__all__ = ["Ranked", "load_ranked"]

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranked survey.

    Attributes:
        manifest: of the shards.
        stretch: of the flux in them; None where they hold pictures.
        store: embeddings.
        labels: what the catalogue knows of each row of the store.
        encoder: the champion, which made the embeddings.
        weights_sha256: its digest.
        ranker: the one in use.
    """

    manifest: Manifest
    stretch: FluxStretch | None
    store: EmbeddingStore
    labels: Labels
    encoder: Encoder
    weights_sha256: str
    ranker: str

    @property
    def candidates(self) -> Array:
        """Row numbers of the ranked galaxies: all but the known mergers and what has their pixels."""
        return np.setdiff1d(np.arange(self.store.size), np.concatenate([self.labels.all_known, self._twins]))

    @property
    def _twins(self) -> Array:
        return self.labels.twins(self.labels.all_known)

    @property
    def hosts(self) -> Array:
        """Row numbers of the galaxies that may be replaced: neither known nor hidden mergers."""
        return np.flatnonzero(self.labels.has(POOL) & ~self.labels.known)

    def scores(self, images: Pixels, params: Params, advance: Advance | None = None) -> tuple[Array, Array]:
        """Score the survey (N,) and images (n, C, H, W) that are not in it, as if each of these alone were added.

        The images are embedded as `mergerscope embed` does, and are guests of the store: they are scored, and the
        moments, the background and the spreads that a ranker takes from the survey do not know them.

        Raises:
            ContractError: the embedding of an image is not finite.
        """
        settings = params.embed
        embedded = embed_images(
            self.encoder, images, views=settings.views, batch_size=settings.batch_size,
            device=pick_device(settings.device), advance=advance,
        )
        # float16, as `embed` keeps them
        names = [f"injected-{number}" for number in range(len(images))]
        guests = EmbeddingStore.from_array(names, embedded.embedding.astype(np.float16), embedded.pairs_logit)
        everybody = self.store.with_guests(guests)
        found = score(self.ranker, everybody, self.labels.all_known, params.rank, self._twins)
        return found[: self.store.size], found[self.store.size :]


def load_ranked(paths: Paths, params: Params) -> Ranked:
    """Read what the stages up to `rank` wrote.

    Args:
        paths: of the project.
        params: all parameters; the embeddings must have been made with `embed.views`.

    Raises:
        MissingInputError: one of them has not been run.
        ContractError: what they wrote does not belong together, or no galaxy is left to be replaced.
        TrackingError: the MLflow store cannot be used.
    """
    views = params.embed.views
    catalog, manifest = read_catalog(paths.catalog), Manifest.load(paths.manifest)
    store = EmbeddingStore.open(paths.embeddings)
    choice = _read(paths.rank_results / "choice.json", "rank", ("ranker", "references", "candidates"))
    labels = Labels.of(catalog, store.ids)
    encoder, receipt = load_embedder(paths, views)
    ranked = Ranked(
        manifest, stretch_of(params, manifest), store, labels, encoder, receipt.weights_sha256, str(choice["ranker"])
    )
    counts = {"references": len(labels.all_known), "candidates": len(ranked.candidates)}
    told = {name: choice[name] for name in counts}
    if told != counts:
        raise ContractError(
            f"{paths.rank_results / 'choice.json'} tells of {told}, and catalogue and embeddings hold {counts}. "
            "Run `mergerscope rank` again, or `dvc repro`."
        )
    if not len(ranked.hosts):
        raise ContractError(
            f"{paths.catalog}: every galaxy is a known merger, so none can be replaced by an injected one. "
            "Look at `target.threshold`."
        )
    return ranked


def _read(path: Path, made_by: str, names: tuple[str, ...]) -> dict[str, Any]:
    if not path.is_file():
        raise MissingInputError(path, made_by)
    tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    missing = [name for name in names if name not in tree]
    if missing:
        raise ContractError(f"{path} lacks {', '.join(missing)}. Run `mergerscope {made_by}` again.")
    return tree

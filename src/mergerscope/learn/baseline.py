"""Embeddings to be beaten: an untrained network, MoCo v2 on the references alone, and the pixels themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mergerscope.learn.device import pick_device
from mergerscope.learn.embed import Embedded, embed_images
from mergerscope.learn.encoder import Encoder
from mergerscope.learn.fit import fit, fresh_encoder
from mergerscope.learn.monitoring import MonitorSet
from mergerscope.params import ObjectiveParams, Params
from mergerscope.progress import progress
from mergerscope.search.baselines import rgb_pixels
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write_store import StoreWriter
from mergerscope.shards.manifest import MANIFEST_NAME, Manifest, ShardEntry, shard_name
from mergerscope.shards.reader import read_images, read_shard
from mergerscope.shards.sample import encode_sample, tar_tail
from mergerscope.shards.shown import shown, stretch_of
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.roles import POOL, REFERENCE

__all__ = ["moco_references_embedding", "pixel_embedding", "seed_protocol", "untrained_embedding"]

MONITORED = 20
"""Pool galaxies that stand beside the references while the network of the references is trained."""


def untrained_embedding(
    params: Params, shards_dir: Path, catalog: Catalog, folder: Path, *, description: str = "untrained"
) -> EmbeddingStore:
    """Embed the survey with the weights that training starts from.

    All but the weights is as for the trained encoder: architecture, pooling, reduction, views.

    Args:
        params: all parameters.
        shards_dir: the shards.
        catalog: of the survey.
        folder: where the embeddings are written.
        description: of the progress bar.
    """
    encoder = fresh_encoder(params, shards_dir, Manifest.load(shards_dir / MANIFEST_NAME))
    return _embed(encoder, params, shards_dir, catalog, folder, description)


def moco_references_embedding(
    params: Params, shards_dir: Path, catalog: Catalog, folder: Path, scratch: Path, *,
    description: str = "moco_references",
) -> EmbeddingStore | None:
    """Train MoCo v2 on the references alone, as the paper that began this search did, and embed the survey.

    Args:
        params: all parameters; `evaluate.baseline_epochs` is the number of epochs.
        shards_dir: the shards.
        catalog: whose references are trained on.
        folder: where the embeddings are written.
        scratch: for a shard of the references.
        description: of the progress bars.

    Returns:
        The embeddings; None where there are fewer than two references, with which nothing can be contrasted.
    """
    small = scratch / "references"
    alone = _references_alone(shards_dir, catalog, small)
    if alone is None:
        return None
    # Without resume points: an epoch is a step or two, and to keep one takes longer than to make it.
    result = fit(seed_protocol(params), small, alone, monitored=False, description=description)
    return _embed(result.encoder, params, shards_dir, catalog, folder, description)


def _references_alone(shards_dir: Path, catalog: Catalog, folder: Path) -> Catalog | None:
    """Pack the references, and a few pool galaxies for the monitors, into a shard of their own.

    An epoch of the references alone is a step or two; to read the whole survey for it would take a hundred times as
    long. Returns the catalogue of that shard, None where there are fewer than two references.
    """
    manifest = Manifest.load(shards_dir / MANIFEST_NAME)
    refused = {refusal.id for refusal in manifest.refused}
    packed = np.array([name not in refused for name in catalog.ids.tolist()], dtype=bool)
    references = np.flatnonzero(packed & (catalog.role == REFERENCE) & catalog.known_merger)
    if len(references) < 2:
        return None
    rows = np.sort(np.concatenate([references, np.flatnonzero(packed & (catalog.role == POOL))[:MONITORED]]))
    ids = catalog.ids[rows].tolist()
    images = read_images(shards_dir, manifest, ids)
    content = b"".join(encode_sample(name, image, {}) for name, image in zip(ids, images, strict=True))
    content += tar_tail(len(content))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / shard_name(0)).write_bytes(content)
    entry = ShardEntry(shard_name(0), len(ids), hashlib.sha256(content).hexdigest())
    replace(manifest, catalog_rows=len(ids), shards=(entry,), refused=()).save(folder / MANIFEST_NAME)
    return catalog.take(rows)


def seed_protocol(params: Params) -> Params:
    """Return the parameters of the published search: MoCo v2 alone, on the known mergers alone."""
    old = params.objective
    objective = ObjectiveParams(
        temperature=old.temperature,
        projection_dim=old.projection_dim,
        pairs=old.pairs.model_copy(update={"weight": 0.0}),
        simclr=old.simclr.model_copy(update={"weight": 0.0}),
        moco=old.moco.model_copy(update={"weight": 1.0}),
    )
    train = params.train.model_copy(update={
        "images": "references", "epochs": params.evaluate.baseline_epochs, "patience": 0,
        # A process that loads a single batch, or trains on it, costs more than the training.
        "workers": 0, "devices": 1,
    })
    return params.model_copy(update={"objective": objective, "train": train})


def pixel_embedding(
    params: Params, shards_dir: Path, folder: Path, *, description: str = "rgb_pixels"
) -> EmbeddingStore:
    """Write the pixels of the survey's images, as they are shown, as embeddings.

    See `mergerscope.search.baselines.rgb_pixels`.
    """
    stretch = stretch_of(params, Manifest.load(shards_dir / MANIFEST_NAME))
    return _write(
        shards_dir, folder, description, lambda images: Embedded(rgb_pixels(shown(images, stretch)), None)
    )


def _embed(
    encoder: Encoder, params: Params, shards_dir: Path, catalog: Catalog, folder: Path, description: str
) -> EmbeddingStore:
    device = pick_device(params.embed.device)
    # The same galaxies fit the reduction of every encoder, so that none has an advantage by that.
    MonitorSet(params, shards_dir, Manifest.load(shards_dir / MANIFEST_NAME), catalog).fit_reduction(encoder, device)
    settings = params.embed

    def embed(images: np.ndarray[Any, Any]) -> Embedded:
        return embed_images(
            encoder, images, views=settings.views, batch_size=settings.batch_size, device=torch.device(device)
        )

    return _write(shards_dir, folder, description, embed)


def _write(
    shards_dir: Path, folder: Path, description: str, embed: Callable[[np.ndarray[Any, Any]], Embedded]
) -> EmbeddingStore:
    manifest = Manifest.load(shards_dir / MANIFEST_NAME)
    writer = StoreWriter(folder)
    with progress(f"evaluate: {description}", manifest.total, "galaxies") as advance:
        for entry in manifest.shards:
            shard = read_shard(shards_dir, entry.name)
            embedded = embed(shard.images)
            # An untrained head answers at random; its logit is no ranker.
            writer.add(shard.ids, embedded.embedding)
            advance(entry.count)
    writer.close()
    return EmbeddingStore.open(folder)

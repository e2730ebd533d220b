"""Turn every galaxy in the shards into a vector, with the champion from the registry."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from mergerscope.cluster import Cluster, engine
from mergerscope.errors import ContractError, ParameterError
from mergerscope.files import NEW, put_folder, write_text
from mergerscope.learn.device import pick_device
from mergerscope.learn.embed_shard import ShardEmbedder
from mergerscope.learn.encoder import Encoder
from mergerscope.params import EmbedParams, Params
from mergerscope.paths import Paths
from mergerscope.progress import Advance, progress
from mergerscope.search.imported import take_imported
from mergerscope.shards.manifest import Manifest, ShardEntry
from mergerscope.shards.reader import Shard, shard_ids
from mergerscope.tracking.champion import load_champion
from mergerscope.tracking.receipt import Receipt

__all__ = ["embed_shards", "run"]


def run(paths: Paths, params: Params) -> None:
    """Embed every galaxy in the shards with the champion from the registry.

    Writes into ``embeddings/``, a shard's galaxies in its order: ``shard-000000.npy`` (float16), the ids beside
    it, and the logits of the pairs head where the encoder has one; ``meta.json`` names model and images by digests.
    A stage that was killed goes on at the shard that it was at. With ``embed.engine: ray`` the shards are shared out
    over the machines of a Ray cluster, and the files are the same.

    With ``embed.source: imported`` the vectors are those that `mergerscope import-embeddings` took in, and no model
    runs; ``meta.json`` then names their origin.

    Raises:
        MissingInputError: the receipt or the shards are not there.
        MissingExtraError: Ray is asked for and not installed.
        ClusterError: the Ray cluster cannot be used, or gave up.
        ContractError: model, receipt and shards do not fit together, or an embedding is not finite.
        TrackingError: the store holds no champion.
    """
    manifest = Manifest.load(paths.manifest)
    if params.embed.source == "imported":
        work = paths.scratch / "embed" / "imported"
        galaxies = [name for ids in shard_ids(paths.shards, manifest) for name in ids]
        take_imported(paths.imported, params.embed.imported, galaxies, work)
        put_folder(work, paths.embeddings)
        return
    encoder, receipt = load_champion(paths)
    if encoder.config.dtype != manifest.dtype or (encoder.config.flux and encoder.config.flux.bands != manifest.bands):
        raise ContractError(
            f"{paths.manifest}: images are {manifest.dtype} in the bands {', '.join(manifest.bands)}, and the model "
            f"{receipt.name}@{receipt.alias} was trained on others ({paths.encoder_config}). Run `dvc repro`, or train "
            "and register anew."
        )
    if list(manifest.image_shape) != receipt.image_shape:
        raise ContractError(
            f"{paths.manifest}: images are {list(manifest.image_shape)}, the model {receipt.name}@{receipt.alias} "
            f"takes {receipt.image_shape}. Run `dvc repro`, or train and register anew."
        )
    with engine(params.embed.engine, paths.scratch) as cluster:
        device = _device(params.embed, cluster)
        work = _work_folder(paths, receipt, params.embed, device)
        task = ShardEmbedder(encoder, paths.shards.absolute(), work.absolute(), params.embed, device)
        with progress("embed", manifest.total, "galaxies") as advance:
            embed_shards(task, manifest.shards, cluster, advance)
    _write_meta(work / "meta.json", encoder, receipt, manifest, _images(paths), params.embed)
    for unfinished in work.glob(f"*{NEW}"):
        unfinished.unlink()
    put_folder(work, paths.embeddings)


def embed_shards(task: ShardEmbedder, entries: Sequence[ShardEntry], cluster: Cluster | None, advance: Advance) -> None:
    """Embed every shard whose files are not there yet.

    Args:
        task: what is done with a shard.
        entries: the shards.
        cluster: which machines do it; this one where None.
        advance: Told the number of galaxies done.
    """
    task.out.mkdir(parents=True, exist_ok=True)
    todo = []
    for entry in entries:
        if task.has_done(entry):
            advance(entry.count)
        else:
            todo.append(entry)
    if cluster is None:
        for entry, shard in _read_ahead(task, todo):
            task.write(entry, shard, advance)
    else:
        for count in cluster.map(task, todo, on_gpu=task.device.type == "cuda"):
            advance(count)


def _read_ahead(task: ShardEmbedder, entries: Sequence[ShardEntry]) -> Iterator[tuple[ShardEntry, Shard]]:
    """Yield shards in order, reading the next one while the network is busy with this one."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = [reader.submit(task.read, entry) for entry in entries[:1]]
        for number, entry in enumerate(entries):
            shard = coming.pop().result()
            if number + 1 < len(entries):
                coming.append(reader.submit(task.read, entries[number + 1]))
            yield entry, shard


def _device(settings: EmbedParams, cluster: Cluster | None) -> torch.device:
    if cluster is None:
        return pick_device(settings.device)
    if settings.device == "cuda" and not cluster.gpus:
        raise ParameterError("`embed.device: cuda` was asked for, and the Ray cluster has no GPU. Use auto or cpu.")
    return torch.device("cuda" if settings.device != "cpu" and cluster.gpus else "cpu")


def _work_folder(paths: Paths, receipt: Receipt, settings: EmbedParams, device: torch.device) -> Path:
    """Return the folder of unfinished work that began from the very same inputs; other such work is removed."""
    key = {
        "weights": receipt.weights_sha256, "config": receipt.config_sha256, "views": settings.views,
        "batch_size": settings.batch_size, "device": device.type,
        "shards": _images(paths),
    }
    place = paths.scratch / "embed"
    work = place / hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    if place.is_dir():
        for other in place.iterdir():
            if other != work:
                shutil.rmtree(other)
    return work


def _images(paths: Paths) -> str:
    """Return the digest of the manifest, which holds that of every shard."""
    return hashlib.sha256(paths.manifest.read_bytes()).hexdigest()


def _write_meta(
    path: Path, encoder: Encoder, receipt: Receipt, manifest: Manifest, images: str, settings: EmbedParams
) -> None:
    meta = {
        "model": {"name": receipt.name, "weights_sha256": receipt.weights_sha256},
        "dim": encoder.config.output_dim,
        "views": settings.views,
        "pooling": encoder.config.pooling,
        "images_sha256": images,
        "total": manifest.total,
        "shards": [{"name": entry.name.removesuffix(".tar"), "count": entry.count} for entry in manifest.shards],
    }
    write_text(path, json.dumps(meta, indent=1) + "\n")

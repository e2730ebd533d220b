"""Turn every galaxy in the shards into a vector, with the champion from the registry."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mergerscope.errors import ContractError
from mergerscope.learn.device import pick_device
from mergerscope.learn.embed import Embedded, embed_images
from mergerscope.learn.encoder import Encoder
from mergerscope.params import EmbedParams, Params
from mergerscope.paths import Paths
from mergerscope.progress import Advance, progress
from mergerscope.search.imported import take_imported
from mergerscope.shards.manifest import Manifest, ShardEntry
from mergerscope.shards.reader import Shard, read_shard, shard_ids
from mergerscope.tracking.champion import load_champion
from mergerscope.tracking.receipt import Receipt

__all__ = ["embed_shards", "run"]


def run(paths: Paths, params: Params) -> None:
    """Embed every galaxy in the shards with the champion from the registry.

    Writes into ``embeddings/``, a shard's galaxies in its order: ``shard-000000.npy`` (float16), the ids beside
    it, and the logits of the pairs head where the encoder has one; ``meta.json`` names model and images by digests.
    A stage that was killed goes on at the shard that it was at.

    With ``embed.source: imported`` the vectors are those that `mergerscope import-embeddings` took in, and no model
    runs; ``meta.json`` then names their origin.

    Raises:
        MissingInputError: the receipt or the shards are not there.
        ContractError: model, receipt and shards do not fit together, or an embedding is not finite.
        TrackingError: the store holds no champion.
    """
    manifest = Manifest.load(paths.manifest)
    if params.embed.source == "imported":
        work = paths.scratch / "embed" / "imported"
        galaxies = [name for ids in shard_ids(paths.shards, manifest) for name in ids]
        take_imported(paths.imported, params.embed.imported, galaxies, work)
        _put_in_place(work, paths.embeddings)
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
    device = pick_device(params.embed.device)
    work = _work_folder(paths, receipt, params.embed, device)
    with progress("embed", manifest.total, "galaxies") as advance:
        embed_shards(encoder, paths.shards, manifest, work, params.embed, device, advance)
    _write_meta(work / "meta.json", encoder, receipt, manifest, _images(paths), params.embed)
    _put_in_place(work, paths.embeddings)


def embed_shards(
    encoder: Encoder, shards: Path, manifest: Manifest, out: Path, settings: EmbedParams, device: torch.device,
    advance: Advance,
) -> None:
    """Embed every shard that is not yet in ``out``, and write it there.

    Args:
        encoder: The network.
        shards: Folder of the tar files.
        manifest: Its manifest.
        out: Folder of the files of each shard (see `run`).
        settings: Views and batch size.
        device: Where the network runs.
        advance: Told the number of galaxies done.
    """
    out.mkdir(parents=True, exist_ok=True)
    todo = []
    for entry in manifest.shards:
        if _ids_file(out, entry).is_file():
            advance(entry.count)
        else:
            todo.append(entry)
    for entry, shard in _read_ahead(shards, todo):
        if len(shard.ids) != entry.count:
            raise ContractError(
                f"{shards / entry.name} holds {len(shard.ids)} galaxies, the manifest says {entry.count}. "
                "Run `mergerscope shard` again."
            )
        embedded = embed_images(
            encoder, shard.images, views=settings.views, batch_size=settings.batch_size, device=device, advance=advance
        )
        _write_shard(out, entry, shard.ids, embedded)


def _read_ahead(shards: Path, entries: Sequence[ShardEntry]) -> Iterator[tuple[ShardEntry, Shard]]:
    """Yield shards in order, reading the next one while the network is busy with this one."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = [reader.submit(read_shard, shards, entry.name) for entry in entries[:1]]
        for number, entry in enumerate(entries):
            shard = coming.pop().result()
            if number + 1 < len(entries):
                coming.append(reader.submit(read_shard, shards, entries[number + 1].name))
            yield entry, shard


def _write_shard(out: Path, entry: ShardEntry, ids: Sequence[str], embedded: Embedded) -> None:
    with np.errstate(over="ignore"):
        half = embedded.embedding.astype(np.float16)
    finite = np.isfinite(half).all(1)
    if not finite.all():
        raise ContractError(
            f"{entry.name}: {int((~finite).sum())} embeddings are not finite as float16, the first is of galaxy "
            f"{ids[int(np.argmin(finite))]!r}. The encoder has diverged: train it anew with a lower "
            "`train.learning_rate`."
        )
    stem = entry.name.removesuffix(".tar")
    _save(out / f"{stem}.npy", half)
    if embedded.pairs_logit is not None:
        _save(out / f"{stem}.pairs.npy", embedded.pairs_logit.astype(np.float32))
    # The ids come last: a shard that has them is complete.
    _write_text(_ids_file(out, entry), "".join(f"{name}\n" for name in ids))


def _ids_file(out: Path, entry: ShardEntry) -> Path:
    return out / f"{entry.name.removesuffix('.tar')}.ids.txt"


def _save(path: Path, array: np.ndarray[Any, Any]) -> None:
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    fresh.replace(path)


def _write_text(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


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
    _write_text(path, json.dumps(meta, indent=1) + "\n")


def _put_in_place(work: Path, target: Path) -> None:
    for unfinished in work.glob("*.new"):
        unfinished.unlink()
    if target.exists():
        old = work.with_name("old")
        target.replace(old)
        work.replace(target)
        shutil.rmtree(old)
    else:
        work.replace(target)

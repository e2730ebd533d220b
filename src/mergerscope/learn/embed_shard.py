"""From one shard of images to its files of embeddings."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mergerscope.errors import ContractError
from mergerscope.files import write_bytes
from mergerscope.learn.embed import embed_images
from mergerscope.learn.encoder import Encoder
from mergerscope.params import EmbedParams
from mergerscope.shards.manifest import ShardEntry
from mergerscope.shards.reader import Shard, read_shard

__all__ = ["ShardEmbedder"]


@dataclass(frozen=True, slots=True)
class ShardEmbedder:
    """What is done with each shard. Two that work at one shard at once do no harm: their files are the same.

    Attributes:
        encoder: the network.
        shards: folder of the tar files.
        out: folder of the files of each shard: ``shard-000000.npy`` (float16), the logits of the pairs head where the
            encoder has one, and the ids.
        settings: views and batch size.
        device: where the network runs.
    """

    encoder: Encoder
    shards: Path
    out: Path
    settings: EmbedParams
    device: torch.device

    def __call__(self, entry: ShardEntry) -> int:
        """Embed a shard; return how many galaxies it has."""
        self.write(entry, self.read(entry))
        return entry.count

    def has_done(self, entry: ShardEntry) -> bool:
        """Whether all files of a shard are there."""
        return self._ids_file(entry).is_file()

    def read(self, entry: ShardEntry) -> Shard:
        """Read a shard.

        Raises:
            MissingInputError: no such file.
            ContractError: it holds another number of galaxies than the manifest says.
        """
        shard = read_shard(self.shards, entry.name)
        if len(shard.ids) != entry.count:
            raise ContractError(
                f"{self.shards / entry.name} holds {len(shard.ids)} galaxies, the manifest says {entry.count}. "
                "Run `mergerscope shard` again."
            )
        return shard

    def write(self, entry: ShardEntry, shard: Shard, advance: Callable[[int], object] | None = None) -> None:
        """Embed a shard that has been read, and write its files.

        Args:
            entry: of the manifest.
            shard: its galaxies.
            advance: called with the number of galaxies of each finished batch.

        Raises:
            ContractError: an embedding is not finite.
        """
        embedded = embed_images(
            self.encoder, shard.images, views=self.settings.views, batch_size=self.settings.batch_size,
            device=self.device, advance=advance,
        )  # fmt: skip
        with np.errstate(over="ignore"):
            half = embedded.embedding.astype(np.float16)
        finite = np.isfinite(half).all(1)
        if not finite.all():
            raise ContractError(
                f"{entry.name}: {int((~finite).sum())} embeddings are not finite as float16, the first is of galaxy "
                f"{shard.ids[int(np.argmin(finite))]!r}. The encoder has diverged: train it anew with a lower "
                "`train.learning_rate`."
            )
        stem = entry.name.removesuffix(".tar")
        write_bytes(self.out / f"{stem}.npy", _npy(half), shared=True)
        if embedded.pairs_logit is not None:
            write_bytes(self.out / f"{stem}.pairs.npy", _npy(embedded.pairs_logit.astype(np.float32)), shared=True)
        # The ids come last: a shard that has them is complete.
        write_bytes(self._ids_file(entry), "".join(f"{name}\n" for name in shard.ids).encode(), shared=True)

    def _ids_file(self, entry: ShardEntry) -> Path:
        return self.out / f"{entry.name.removesuffix('.tar')}.ids.txt"


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()

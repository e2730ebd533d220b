"""Write embeddings shard by shard in the layout that `EmbeddingStore.open` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["StoreWriter"]

Array = np.ndarray[Any, Any]


class StoreWriter:
    """Writes one file a shard, and at the end the ``meta.json`` without which the folder is not a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._counts: list[int] = []
        self._dim = 0
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, ids: list[str], embedding: Array, pairs_logit: Array | None = None) -> None:
        """Write one shard: (n, D) embeddings, kept as float16, and (n,) logits where there are any."""
        stem = self.folder / f"shard-{len(self._counts):06d}"
        np.save(stem.with_suffix(".npy"), embedding.astype(np.float16))
        stem.with_suffix(".ids.txt").write_text("".join(f"{name}\n" for name in ids), encoding="utf-8")
        if pairs_logit is not None:
            np.save(stem.with_suffix(".pairs.npy"), pairs_logit.astype(np.float32))
        self._counts.append(len(ids))
        self._dim = embedding.shape[1]

    def close(self, about: Mapping[str, Any] | None = None) -> None:
        """Write ``meta.json``, with what else is to be known of the embeddings."""
        meta = {"dim": self._dim, "total": sum(self._counts), "shards": self._counts, **(about or {})}
        (self.folder / "meta.json").write_text(json.dumps(meta) + "\n", encoding="utf-8")

"""What a ranked list was made from, kept in it, so that it is known whether it still holds."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mergerscope.params import Params
from mergerscope.paths import Paths

__all__ = ["KEY", "is_current", "made_from"]

KEY = "mergerscope.made_from"


def made_from(paths: Paths, params: Params) -> str:
    """Return a digest of catalogue, embeddings and settings.

    The catalogue holds the digest of every picture, and ``embeddings/meta.json`` those of the weights and the
    shards, or of imported vectors, so the vectors themselves need not be read. The code is not in it: that is DVC's.
    """
    rank = params.rank
    settings: dict[str, Any] = {
        "rank": rank.model_dump(exclude={"engine"}),
        "seed": params.split.seed, "monitor_k": params.train.monitor_k,
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in (paths.catalog, paths.embeddings / "meta.json"):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def is_current(paths: Paths, params: Params) -> bool:
    """Say whether ``results/rank`` holds what `mergerscope rank` would make of the present inputs and settings."""
    path = paths.rank_results / "candidates.parquet"
    if not (path.is_file() and paths.catalog.is_file() and (paths.embeddings / "meta.json").is_file()):
        return False
    try:
        about = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return False
    return bool(about.get(KEY.encode()) == made_from(paths, params).encode())

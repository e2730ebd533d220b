"""A stretch of the catalogue to one shard: what each worker process does.

Nothing here, nor anything that it imports, loads torch: a worker starts in a fraction of a second and stays small.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mergerscope.shards.cutout import make_cutout
from mergerscope.shards.journal import Finished
from mergerscope.shards.sample import encode_sample, tar_tail
from mergerscope.survey.images import ImageStore
from mergerscope.survey.records import ImageRefusedError, Refusal

__all__ = ["STAGE", "Packing", "Row", "Task", "pack_shard"]

STAGE = "shard"
WRITE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Packing:
    """How every image of a survey is packed."""

    root: Path
    crop: float
    size: int


class Row(NamedTuple):
    """What packing needs of one galaxy of the catalogue."""

    id: str
    image: str
    ra_deg: float
    dec_deg: float


@dataclass(frozen=True, slots=True)
class Task:
    """One shard to be made."""

    path: Path
    key: str
    """Digest of all that it is made from."""
    rows: tuple[Row, ...]


def pack_shard(store: ImageStore, packing: Packing, task: Task) -> Finished:
    """Write the shard of ``task``, new-then-rename; images that cannot be used are refused, one by one.

    No file is written where every one is refused.
    """
    new = task.path.with_name(f"{task.path.name}.new")
    digest, length = hashlib.sha256(), 0
    refused: list[Refusal] = []
    with new.open("wb", buffering=WRITE_BYTES) as tar:
        for row in task.rows:
            try:
                image = make_cutout(store.read(row.image), packing.crop, packing.size)
            except ImageRefusedError as error:
                refused.append(Refusal(row.id, row.image, STAGE, error.reason, error.detail))
                continue
            members = encode_sample(row.id, image, _meta(row))
            tar.write(members)
            digest.update(members)
            length += len(members)
        tail = tar_tail(length)
        tar.write(tail)
        digest.update(tail)
    count = len(task.rows) - len(refused)
    if not count:
        new.unlink()
        return Finished(task.path.name, task.key, 0, "", tuple(refused))
    new.replace(task.path)
    return Finished(task.path.name, task.key, count, digest.hexdigest(), tuple(refused))


def _meta(row: Row) -> dict[str, object]:
    return {
        "id": row.id,
        "image": row.image,
        "ra_deg": None if math.isnan(row.ra_deg) else row.ra_deg,
        "dec_deg": None if math.isnan(row.dec_deg) else row.dec_deg,
    }

"""When two trainings are one and the same, so that the second goes on where the first was killed."""

from __future__ import annotations

import hashlib
import json

from mergerscope.params import Params
from mergerscope.shards.manifest import Manifest
from mergerscope.survey.catalog_file import Catalog

__all__ = ["training_key"]


def training_key(params: Params, manifest: Manifest, catalog: Catalog) -> str:
    """Return a digest of all that a training starts from: SHA-256 as 64 hex digits.

    Checkpoints and the tracked run are found again by this one key: by two, a training could go on in a run that
    tells other parameters, or begin anew in a run that has half of its epochs. So it covers every parameter that a
    run tells, also the few, such as the threshold of the target, that reach the weights through roles alone.

    Args:
        params: all parameters; those of later stages have no part in the key.
        manifest: of the shards, whose bytes it names.
        catalog: its roles, votes and equal pixels say what is trained on, and by what an early stop is judged.
    """
    blocks = params.model_dump(mode="json", include={
        "target": True, "split": True, "flux": {"bin", "stretch", "softening", "scale"}, "shard": {"crop", "size"},
        "views": True, "encoder": True, "objective": True, "train": True, "embed": True, "rank": {"folds"},
    })  # fmt: skip
    shards = [shard.sha256 for shard in manifest.shards]
    digest = hashlib.sha256(json.dumps([blocks, shards], sort_keys=True).encode())
    for column in (catalog.ids, catalog.role, catalog.known_merger, catalog.judged, catalog.pixel_digest):
        digest.update(column.tobytes())
    return digest.hexdigest()

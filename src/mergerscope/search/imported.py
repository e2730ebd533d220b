"""Vectors that were made elsewhere, as `mergerscope import-embeddings` left them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.search.store import EmbeddingStore

__all__ = ["take_imported"]

AGAIN = "Run `mergerscope import-embeddings` again, and set what it tells."


def take_imported(imported: Path, digest: str, survey: Sequence[str], target: Path) -> None:
    """Copy the store at ``imported`` to ``target``, a folder that is made anew.

    Args:
        imported: the folder that the verb wrote.
        digest: the one that is asked for, `embed.imported`.
        survey: ids of all galaxies in the shards.
        target: of the copy.

    Raises:
        MissingInputError: nothing was imported.
        ContractError: other vectors were, files do not fit together, or a galaxy is not in the survey any more.
    """
    meta_path = imported / "meta.json"
    if not meta_path.is_file():
        raise MissingInputError(meta_path, "import-embeddings FILE")
    origin = json.loads(meta_path.read_text(encoding="utf-8")).get("origin", {})
    if origin.get("digest") != digest:
        raise ContractError(f"`embed.imported` in params.yaml asks for the vectors {digest!r}, and {imported} holds "
                            f"{origin.get('digest')!r} ({origin.get('name')}). {AGAIN}")
    store = EmbeddingStore.open(imported)
    strange = store.ids[~np.isin(store.ids, np.asarray(survey, dtype=np.str_))]
    if len(strange):
        raise ContractError(f"{imported} holds {len(strange)} galaxies that are not in the shards, the first is "
                            f"{strange[0]}. {AGAIN}")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in sorted(imported.iterdir()):
        if path.suffix in (".npy", ".txt", ".json"):
            shutil.copyfile(path, target / path.name)

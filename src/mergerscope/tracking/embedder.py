"""The model that made the embeddings of a survey, for images that are not in it."""

from __future__ import annotations

import json

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.learn.encoder import Encoder
from mergerscope.paths import Paths
from mergerscope.tracking.champion import load_champion
from mergerscope.tracking.receipt import Receipt

__all__ = ["load_embedder"]


def load_embedder(paths: Paths, views: int) -> tuple[Encoder, Receipt]:
    """Return the champion and its receipt, once it is sure that ``embeddings/`` came from it.

    Args:
        paths: of the project.
        views: `embed.views`, which the embeddings must have been made with.

    Raises:
        MissingInputError: there are no embeddings or there is no receipt.
        ContractError: another model made the embeddings, or this one in another way.
        TrackingError: the store holds no champion, or cannot be used.
    """
    path = paths.embeddings / "meta.json"
    if not path.is_file():
        raise MissingInputError(path, "embed")
    meta = json.loads(path.read_text(encoding="utf-8"))
    if "origin" in meta:
        raise ContractError(
            f"{paths.embeddings} holds vectors that were imported ({meta['origin']['name']}), and what made them "
            "cannot be asked for the vector of another image. Set `embed.source: model` in params.yaml and run "
            "`dvc repro`."
        )
    missing = [name for name in ("model", "views") if name not in meta]
    if missing:
        raise ContractError(f"{path} lacks {', '.join(missing)}. Run `mergerscope embed` again.")
    encoder, receipt = load_champion(paths)
    if meta["model"]["weights_sha256"] != receipt.weights_sha256:
        raise ContractError(
            f"{paths.embeddings} was made by the weights {meta['model']['weights_sha256'][:12]}, and the champion has "
            f"{receipt.weights_sha256[:12]}. Run `mergerscope embed` and `mergerscope rank`, or `dvc repro`."
        )
    if meta["views"] != views:
        raise ContractError(
            f"{paths.embeddings} was made with {meta['views']} views, and embed.views is {views}: other images "
            "would be embedded otherwise than the survey. Run `dvc repro`."
        )
    return encoder, receipt

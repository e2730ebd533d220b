"""Whether the embeddings of a survey are those that the settings ask for, and the model that made them."""

from __future__ import annotations

import json
from typing import Any

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.learn.encoder import Encoder
from mergerscope.paths import Paths
from mergerscope.tracking.champion import load_champion
from mergerscope.tracking.receipt import Receipt

__all__ = ["check_embeddings", "load_embedder"]


def check_embeddings(paths: Paths, source: str, imported: str, views: int) -> None:
    """Refuse embeddings that `mergerscope embed` would not make now.

    Args:
        paths: of the project.
        source: `embed.source`: ``model`` for those of the champion, ``imported`` for those made elsewhere.
        imported: `embed.imported`, the digest that imported ones must have.
        views: `embed.views`, with which the champion must have made its own.

    Raises:
        MissingInputError: there are no embeddings, or no receipt of the champion.
        ContractError: they are of another source.
    """
    meta = _meta(paths)
    origin = meta.get("origin")
    if source == "model":
        if origin is not None:
            raise ContractError(
                f"{paths.embeddings} holds vectors that were imported ({origin['name']}), and `embed.source` in "
                "params.yaml asks for the model's. Run `mergerscope embed`, which makes those, or set `embed.source: "
                f"imported` and `embed.imported: {origin['digest']}`."
            )
        _check_model(paths, meta, Receipt.load(paths.champion), views)
    elif origin is None:
        raise ContractError(
            f"{paths.embeddings} holds the vectors of the model, and `embed.source` in params.yaml asks for imported "
            "ones. Run `mergerscope embed`, which takes those, or set `embed.source: model`."
        )
    elif origin["digest"] != imported:
        raise ContractError(
            f"`embed.imported` in params.yaml asks for the vectors {imported!r}, and {paths.embeddings} holds "
            f"{origin['digest']!r} ({origin['name']}). Run `mergerscope embed`, or set the digest of these."
        )


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
    meta = _meta(paths)
    if "origin" in meta:
        raise ContractError(
            f"{paths.embeddings} holds vectors that were imported ({meta['origin']['name']}), and what made them "
            "cannot be asked for the vector of another image. Set `embed.source: model` in params.yaml and run "
            "`dvc repro`."
        )
    encoder, receipt = load_champion(paths)
    _check_model(paths, meta, receipt, views)
    return encoder, receipt


def _meta(paths: Paths) -> dict[str, Any]:
    path = paths.embeddings / "meta.json"
    if not path.is_file():
        raise MissingInputError(path, "embed")
    meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return meta


def _check_model(paths: Paths, meta: dict[str, Any], receipt: Receipt, views: int) -> None:
    missing = [name for name in ("model", "views") if name not in meta]
    if missing:
        raise ContractError(
            f"{paths.embeddings / 'meta.json'} lacks {', '.join(missing)}. Run `mergerscope embed` again."
        )
    if meta["model"]["weights_sha256"] != receipt.weights_sha256:
        raise ContractError(
            f"{paths.embeddings} was made by the weights {meta['model']['weights_sha256'][:12]}, and the champion has "
            f"{receipt.weights_sha256[:12]}. Run `mergerscope embed` and `mergerscope rank`, or `dvc repro`."
        )
    if meta["views"] != views:
        raise ContractError(
            f"{paths.embeddings} was made with {meta['views']} views, and embed.views is {views}. Run `mergerscope "
            "embed`, or `dvc repro`."
        )

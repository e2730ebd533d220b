"""Galleries: a few galaxies with what is known about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np

from mergerscope.report.images import data_uri, png_bytes, thumbnail
from mergerscope.report.inputs import Inputs
from mergerscope.report.words import decimal

__all__ = ["DEEP_RANK", "Card", "Gallery", "candidate_gallery", "deep_start", "gallery", "reference_gallery"]

Array = np.ndarray[Any, Any]

DEEP_RANK = 10_000
"""Where the paper looked to show that the list does run out of mergers."""
NEIGHBOUR_SIDE = 48


@dataclass(frozen=True, slots=True)
class Card:
    """One galaxy of a gallery, ready for the page; None where nothing is known."""

    id: str
    picture: str
    alt: str
    rank: int | None = None
    score: str | None = None
    vote: str | None = None
    position: str | None = None
    viewer: str | None = None
    nearest: str | None = None
    nearest_picture: str | None = None
    similarity: str | None = None


@dataclass(frozen=True, slots=True)
class Gallery:
    """Cards for the page, and the bare pictures (H, W, 3) for a file of their own."""

    cards: list[Card]
    pictures: list[Array]


def gallery(inputs: Inputs, ids: Sequence[str], ranks: Sequence[int] | None = None, scores: Any = None,
            nearest: Sequence[tuple[str | None, float]] | None = None) -> Gallery:
    """Make cards of galaxies in the given order.

    Args:
        inputs: where pictures, votes and positions are looked up.
        ids: of the galaxies.
        ranks: of each, counted from 1.
        scores: of each.
        nearest: id and similarity of the reference that each is most like.
    """
    if not len(ids):
        return Gallery([], [])
    beside = [name or "" for name, _ in nearest or []]
    wanted = list(dict.fromkeys([*ids, *(name for name in beside if name)]))
    images = dict(zip(wanted, inputs.pictures(wanted), strict=True))
    cards, pictures = [], []
    for place, name in enumerate(ids):
        picture = thumbnail(images[name])
        extra: dict[str, Any] = {"rank": int(ranks[place])} if ranks is not None else {}
        if scores is not None:
            extra["score"] = decimal(float(scores[place]), 3)
        if nearest is not None and beside[place]:
            small = thumbnail(images[beside[place]], NEIGHBOUR_SIDE)
            extra |= {"nearest": beside[place], "nearest_picture": data_uri(png_bytes(small)),
                      "similarity": decimal(nearest[place][1])}
        cards.append(_card(inputs, name, data_uri(png_bytes(picture)), extra))
        pictures.append(picture)
    return Gallery(cards, pictures)


def _card(inputs: Inputs, name: str, picture: str, extra: dict[str, Any]) -> Card:
    row = int(np.searchsorted(inputs.catalog.ids, name))
    sky = inputs.catalog
    vote, ra, dec = (float(column[row]) for column in (sky.vote, sky.ra_deg, sky.dec_deg))
    alt = f"Galaxy {name}"
    if "rank" in extra:
        alt += f", rank {extra['rank']}"
    extra["vote"] = f"{vote:.2f}" if np.isfinite(vote) else "unknown"
    alt += f", vote {extra['vote']}"
    if np.isfinite(ra) and np.isfinite(dec):
        extra["position"] = f"{ra:.5f} {dec:+.5f}"
        where = urlencode({"ra": f"{ra:.6f}", "dec": f"{dec:.6f}", "layer": "ls-dr10", "zoom": 15})
        extra["viewer"] = f"https://www.legacysurvey.org/viewer?{where}"
    return Card(id=name, picture=picture, alt=alt, **extra)


def deep_start(total: int, gallery_size: int) -> int:
    """Index where the deep gallery begins: rank 10,000, or the middle of a list that is not so long."""
    if total >= DEEP_RANK + gallery_size:
        return DEEP_RANK - 1
    return max(0, min(total // 2, total - gallery_size))


def candidate_gallery(inputs: Inputs, start: int) -> Gallery:
    """The candidates from index ``start`` of the ranked list on, each with its nearest reference."""
    part = inputs.candidates.part(start, inputs.params.report.gallery)
    nearest = list(zip(part["nearest_reference_1"], part["similarity_1"], strict=True))
    return gallery(inputs, part["id"], part["rank"], part["score"], nearest)


def reference_gallery(inputs: Inputs) -> Gallery:
    """Known mergers, spread evenly from the most to the least certain vote."""
    rows = np.flatnonzero(inputs.known)
    order = rows[np.argsort(-inputs.votes[rows], kind="stable")]
    size = min(len(order), inputs.params.report.gallery)
    picked = order[np.linspace(0, len(order) - 1, size).round().astype(int)] if size else order
    return gallery(inputs, inputs.store.ids[picked].tolist())

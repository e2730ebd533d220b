"""Who is a reference, who is hidden, who is in the pool.

A galaxy is a *known merger* where its vote lies above the threshold. Of the known mergers, a seeded hash of the id
hides some (`hidden`, the positives of `evaluate`); the rest are `reference`; every other galaxy is `pool`. The hash
of an id depends on nothing else, so roles stay where they are when rows are added.

**Equal pixels are one galaxy.** All rows whose images have equal pixels share a role. When one of them is a known
merger, all of them take the role of the smallest id *among those that are known mergers*: so no picture of a hidden
merger is a reference, and none sits in the pool, where it would count as a false alarm and be ranked first. (Were
the smallest id of all of them taken, an unlabelled duplicate that is added later could move a role.)

**There is always a reference** when there is a known merger: if the hash hides all of them, the one with the largest
hash becomes the reference. Only that one may move when mergers are added. References whose image cannot be decoded do
not count, for the shard stage will refuse them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mergerscope.survey.names import as_names

__all__ = ["HIDDEN", "POOL", "REFERENCE", "ROLES", "assign_roles", "hash_uniform", "pictures", "role_codes"]

REFERENCE = "reference"
HIDDEN = "hidden"
POOL = "pool"
ROLES = (REFERENCE, HIDDEN, POOL)

SLICE = 1 << 16


def hash_uniform(seed: int, identity: str) -> float:
    """Return a number in [0, 1) that depends on ``seed`` and ``identity`` alone, as if drawn uniformly."""
    digest = hashlib.blake2b(f"{seed}:{identity}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53  # the 53 bits that a double holds exactly: never 1


def pictures(pixel_digests: Any) -> npt.NDArray[np.int64]:
    """Return a number for each galaxy, equal for equal images and for no others, int64 (N,).

    Args:
        pixel_digests: (N,) texts, or these as bytes; empty where the image cannot be decoded, which equals none.
    """
    digests = as_names(pixel_digests)
    order = np.argsort(digests, kind="stable")
    fresh = np.ones(len(digests), bool)
    # Neighbours in order are compared in slices: sorted copies of millions of digests would be the largest thing here.
    for start in range(1, len(digests), SLICE):
        here = order[start - 1 : start + SLICE]
        fresh[start : start + SLICE] = digests[here[1:]] != digests[here[:-1]]
    numbers = np.empty(len(digests), np.int64)
    numbers[order] = np.cumsum(fresh)
    return np.where(digests == b"", -1 - np.arange(len(digests)), numbers)


def role_codes(roles: Any) -> npt.NDArray[np.int8]:
    """Return the place of each role in `ROLES`, int8 (N,); -1 for what is none.

    Args:
        roles: (N,) texts, as an Arrow column or anything that becomes one.
    """
    column = roles if isinstance(roles, pa.ChunkedArray) else pa.array(roles, pa.string())
    places = pc.index_in(column, value_set=pa.array(ROLES))
    return np.asarray(places.fill_null(-1).cast(pa.int8()).to_numpy())


def assign_roles(
    ids: Sequence[str],
    known_merger: Sequence[bool],
    pixel_digests: Sequence[str | None],
    seed: int,
    hidden_fraction: float,
) -> list[str]:
    """Return the role of each galaxy.

    Args:
        ids: unique.
        known_merger: whether its vote lies above the threshold.
        pixel_digests: equal for equal images; None or empty where the image cannot be decoded, which equals none.
        seed: another seed is another split.
        hidden_fraction: expected share of the known mergers that is hidden, in [0, 1).

    Returns:
        One of `ROLES` for each id.
    """
    # A picture is named by its digest; an undecodable image is a picture of its own, named by its id.
    pictures = [digest or f"id:{identity}" for identity, digest in zip(ids, pixel_digests, strict=True)]
    keys: dict[str, str] = {}
    decodable: set[str] = set()
    for identity, known, picture, digest in zip(ids, known_merger, pictures, pixel_digests, strict=True):
        if known:
            keys[picture] = min(identity, keys.get(picture, identity))
            if digest:
                decodable.add(picture)
    drawn = {picture: hash_uniform(seed, key) for picture, key in keys.items()}
    roles = {picture: HIDDEN if value < hidden_fraction else REFERENCE for picture, value in drawn.items()}
    usable = decodable or drawn.keys()
    if drawn and not any(roles[picture] == REFERENCE for picture in usable):
        roles[max(usable, key=lambda picture: (drawn[picture], picture))] = REFERENCE
    return [roles.get(picture, POOL) for picture in pictures]

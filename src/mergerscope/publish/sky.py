"""Distances on the sky by unit vectors, which know no edge at 0 hours and none at the poles."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

__all__ = ["chord", "first_of_group", "pairs_within", "separation_arcsec", "unit_vectors"]

Array = np.ndarray[Any, Any]

ARCSEC = np.pi / 180 / 3600
BLOCK = 20_000
"""Places that are looked up at once: bounds the memory of all their pairs."""


def unit_vectors(ra_deg: Array, dec_deg: Array) -> Array:
    """Return (N, 3) float64 vectors of length 1."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def chord(angle_arcsec: float) -> float:
    """Return the straight distance of two unit vectors that are so far apart."""
    return float(2 * np.sin(angle_arcsec * ARCSEC / 2))


def separation_arcsec(chords: Array) -> Array:
    """Return the angles that belong to straight distances: `chord` the other way round."""
    return 2 * np.arcsin(np.clip(chords / 2, 0, 1)) / ARCSEC


def pairs_within(places: Array, targets: Array, radius_arcsec: float) -> tuple[Array, Array, Array]:
    """Return every pair of a place and a target that are at most ``radius_arcsec`` apart.

    Args:
        places: (N, 3) unit vectors.
        targets: (M, 3) unit vectors.
        radius_arcsec: of the search.

    Returns:
        Row numbers of places and of targets, and their separations in arcsec. The pairs of one place stand together,
        nearest first; equally near targets in their own order.
    """
    tree = cKDTree(targets)
    found = []
    for start in range(0, len(places), BLOCK):
        block = places[start : start + BLOCK]
        lists = tree.query_ball_point(block, chord(radius_arcsec))
        theirs = np.repeat(np.arange(len(block)), [len(near) for near in lists])
        ours = np.fromiter((row for near in lists for row in near), np.int64, len(theirs))
        apart = np.linalg.norm(block[theirs] - targets[ours], axis=1)
        order = np.lexsort((ours, apart, theirs))
        found.append((theirs[order] + start, ours[order], separation_arcsec(apart[order])))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    rows, columns, apart = (np.concatenate(part) for part in zip(*found, strict=True))
    return rows, columns, apart


def first_of_group(ra_deg: Array, dec_deg: Array, radius_arcsec: float) -> Array:
    """Return the row number of the first place of each one's group, which for the first is its own.

    Two places at most ``radius_arcsec`` apart are in one group, and so is what hangs on either (connected components).
    A place without a position, NaN, is a group of its own, and so is each where the radius is 0.
    """
    first = np.arange(len(ra_deg))
    known = np.flatnonzero(np.isfinite(ra_deg) & np.isfinite(dec_deg))
    if radius_arcsec <= 0 or len(known) < 2:
        return first
    # Equal positions are one point to the tree: a survey that writes (0, 0) for "unknown" would make N * N pairs.
    _, where, same = np.unique(
        np.mod(ra_deg[known], 360) + 1j * dec_deg[known], return_index=True, return_inverse=True
    )
    points = known[where]
    tree = cKDTree(unit_vectors(ra_deg[points], dec_deg[points]))
    near = tree.query_pairs(chord(radius_arcsec), output_type="ndarray")
    graph = coo_matrix((np.ones(len(near), bool), (near[:, 0], near[:, 1])), shape=(len(points), len(points)))
    group = connected_components(graph, directed=False)[1][same]
    _, head = np.unique(group, return_index=True)
    first[known] = known[head[group]]
    return first

"""The outcome of a cross-match as tables, and in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mergerscope.publish.columns import Column, arrow_schema, position
from mergerscope.publish.crossmatch import Match
from mergerscope.publish.positions import OutsideList

__all__ = ["Ranked", "figures", "matched_table", "unmatched_table"]

Array = np.ndarray[Any, Any]

KNOWN, CANDIDATE, UNRANKED = "known merger", "candidate", "not ranked"
CUTS = (10, 100, 1000, 10_000, 100_000)
THEIRS = [
    Column("list", "words", "meta.id;meta.file", "File of the list"),
    Column("row", "integer", "meta.record", "Row of the list, counted from 1"),
    Column("name", "words", "meta.id", "What the list calls the object"),
    *position("list_ra_deg", "list_dec_deg", "in the list"),
]
MATCHED = [
    *THEIRS,
    Column("separation_arcsec", "double", "pos.angDistance", "From the place in the list to the galaxy", unit="arcsec"),
    Column("within_radius", "integer", "meta.number", "Galaxies of the survey within the radius; the nearest is told"),
    Column("id", "words", "meta.id;meta.main", "Galaxy, as the survey calls it"),
    *position("ra_deg", "dec_deg"),
    Column("role", "words", "meta.code.class", f"{CANDIDATE}, {KNOWN}, or {UNRANKED} (refused, or a twin)"),
    Column("rank", "integer", "stat.rank", "Place in the ranked list, 1 is most like a known merger"),
    Column("score", "real", "stat.value", "Likeness to the known mergers; its scale depends on the ranker"),
    Column("duplicate_of", "words", "meta.id.cross", "First galaxy at this place on the sky; null: it is the first"),
]
UNMATCHED = [
    *THEIRS,
    Column("in_survey", "flag", "meta.code", "Whether the place lies in the survey's area, judged by its galaxies"),
    Column("reason", "words", "meta.note", "Why there is no match"),
]


@dataclass(frozen=True, slots=True)
class Ranked:
    """All M galaxies of the survey, known mergers first, then by rank, then those without one.

    Attributes:
        ids: (M,).
        ra_deg: (M,) NaN where unknown.
        dec_deg: (M,) likewise.
        known: (M,) bool, known mergers.
        rank: (M,) from 1, 0 for galaxies that are not candidates.
        score: (M,) NaN for those.
        duplicate_of: (M,) ids, "" for none.
    """

    ids: Array
    ra_deg: Array
    dec_deg: Array
    known: Array
    rank: Array
    score: Array
    duplicate_of: Array

    def role(self, rows: Array) -> Array:
        """Return what each of some galaxies is."""
        return np.where(self.known[rows], KNOWN, np.where(self.rank[rows] > 0, CANDIDATE, UNRANKED))


def matched_table(theirs: OutsideList, match: Match, ours: Ranked) -> pa.Table:
    """Return the entries that are galaxies of the survey, in the order of the list."""
    rows = np.flatnonzero(match.galaxy >= 0)
    found = match.galaxy[rows]
    ranked, copies = ours.rank[found] > 0, ours.duplicate_of[found]
    return pa.table([
        *_theirs(theirs, rows), pa.array(match.separation_arcsec[rows]), pa.array(match.within[rows]),
        pa.array(ours.ids[found]), pa.array(ours.ra_deg[found]), pa.array(ours.dec_deg[found]),
        pa.array(ours.role(found)), pa.array(ours.rank[found], mask=~ranked),
        pa.array(ours.score[found], mask=~ranked), pa.array(copies, mask=copies == ""),
    ], schema=arrow_schema(MATCHED))  # fmt: skip


def unmatched_table(theirs: OutsideList, match: Match) -> pa.Table:
    """Return the other entries, with the reason."""
    rows = np.flatnonzero(match.galaxy < 0)
    inside = match.in_survey[rows]
    placed = np.isin(rows, theirs.placed)
    reason = np.where(inside, "no galaxy within the radius", "outside of the survey")
    return pa.table([
        *_theirs(theirs, rows), pa.array(inside, mask=~placed), pa.array(np.where(placed, reason, "no position"))
    ], schema=arrow_schema(UNMATCHED))  # fmt: skip


def figures(theirs: OutsideList, match: Match, ours: Ranked, top: int) -> dict[str, Any]:
    """Return how the list fares, as it is written into ``summary.json``.

    ``recall_at`` is the share of the list's candidates, galaxies counted once, among the first k of the ranked list.
    """
    galaxies = np.unique(match.galaxy[match.galaxy >= 0])
    ranks = np.sort(ours.rank[galaxies][ours.rank[galaxies] > 0])
    roles = ours.role(galaxies)
    every = int((ours.rank > 0).sum())
    cuts = sorted({k for k in (*CUTS, top) if k < every} | {every}) if every else []
    separations = match.separation_arcsec[match.galaxy >= 0]
    return {
        "list": theirs.label,
        "entries": len(theirs),
        "with_position": len(theirs.placed),
        "in_survey": int(match.in_survey.sum()),
        "matched": len(separations),
        "galaxies": len(galaxies),
        "known_mergers": int((roles == KNOWN).sum()),
        "candidates": len(ranks),
        "not_ranked": int((roles == UNRANKED).sum()),
        "median_separation_arcsec": round(float(np.median(separations)), 4) if len(separations) else None,
        "best_rank": int(ranks[0]) if len(ranks) else None,
        "median_rank": float(np.median(ranks)) if len(ranks) else None,
        "recall_at": {str(k): round(float((ranks <= k).mean()), 6) for k in cuts} if len(ranks) else {},
    }


def _theirs(theirs: OutsideList, rows: Array) -> Sequence[pa.Array]:
    names, ra, dec = theirs.names[rows], theirs.ra_deg[rows], theirs.dec_deg[rows]
    return [
        pa.array([theirs.label] * len(rows), pa.string()), pa.array(rows + 1), pa.array(names, mask=names == ""),
        pa.array(ra, mask=np.isnan(ra)), pa.array(dec, mask=np.isnan(dec)),
    ]

"""Which galaxies of a survey stand in somebody's list, and which of the list are in the survey at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from mergerscope.publish.positions import OutsideList
from mergerscope.publish.sky import chord, pairs_within, separation_arcsec, unit_vectors

__all__ = ["Match", "match_list"]

Array = np.ndarray[Any, Any]

EDGE = 99.0
"""Percentile of the distances between neighbours in the survey beyond which a place is taken to lie outside of it."""


@dataclass(frozen=True, slots=True)
class Match:
    """One list against the survey.

    Attributes:
        galaxy: (N,) row number in the survey of the nearest galaxy within the radius, -1 where there is none.
        separation_arcsec: (N,) to that one, NaN where there is none.
        within: (N,) galaxies of the survey within the radius.
        in_survey: (N,) bool, whether the place lies in the area of the survey.
        covered: row numbers of all galaxies of the survey that lie within the radius of an entry.
    """

    galaxy: Array
    separation_arcsec: Array
    within: Array
    in_survey: Array
    covered: Array


def match_list(theirs: OutsideList, ra_deg: Array, dec_deg: Array, radius_arcsec: float) -> Match:
    """Find the nearest galaxy of the survey for each entry of a list; of equally near ones the earlier in the survey.

    Several entries may find the same galaxy: each is a match. A place counts as in the survey where a galaxy of it is
    nearer than 99 % of the survey's galaxies have their own nearest neighbour, or is a match.

    Args:
        theirs: the list.
        ra_deg: (M,) of the survey's galaxies, NaN where unknown.
        dec_deg: (M,) likewise.
        radius_arcsec: of a match.
    """
    count = len(theirs)
    galaxy, apart, within = np.full(count, -1), np.full(count, np.nan), np.zeros(count, np.int64)
    inside = np.zeros(count, bool)
    known = np.flatnonzero(np.isfinite(ra_deg) & np.isfinite(dec_deg))
    placed = theirs.placed
    if not len(known) or not len(placed):
        return Match(galaxy, apart, within, inside, np.empty(0, np.int64))
    places = unit_vectors(theirs.ra_deg[placed], theirs.dec_deg[placed])
    survey = unit_vectors(ra_deg[known], dec_deg[known])
    entry, found, separation = pairs_within(places, survey, radius_arcsec)
    first_entry, first = np.unique(entry, return_index=True)
    galaxy[placed[first_entry]] = known[found[first]]
    apart[placed[first_entry]] = separation[first]
    within[placed] = np.bincount(entry, minlength=len(placed))
    inside[placed] = _near_the_survey(places, survey, radius_arcsec)
    return Match(galaxy, apart, within, inside, known[np.unique(found)])


def _near_the_survey(places: Array, survey: Array, radius_arcsec: float) -> Array:
    tree = cKDTree(survey)
    reach = chord(radius_arcsec)
    if len(survey) > 1:
        own = tree.query(survey, k=2)[0][:, 1]
        reach = max(reach, float(np.percentile(own, EDGE)))
    return np.asarray(separation_arcsec(tree.query(places)[0]) <= separation_arcsec(np.array(reach)))

"""What volunteers would say about a cutout: fractions of about forty answers down the Galaxy Zoo 2 tree.

Only the part of the tree that a search for mergers reads is asked (Willett et al. 2013, arXiv:1308.3496); as in
the Kaggle table, an answer's fraction is multiplied by that of the answer which led to its question.
"""

from __future__ import annotations

import numpy as np

from mergerscope.simulate.scene import Truth

__all__ = ["VOTE_COLUMNS", "cast_votes"]

VOTE_COLUMNS = (
    "Class1.1", "Class1.2", "Class1.3", "Class2.1", "Class2.2", "Class6.1", "Class6.2", "Class8.6", "Class8.7",
)
"""Smooth, features, artefact; edge-on, not; odd, not; merger, dust lane."""

FEATURED = {"elliptical": 0.12, "disc": 0.78, "edge_on": 0.72, "merger": 0.55, "projection": 0.4, "star": 0.4}
EDGE_ON = {"elliptical": 0.1, "disc": 0.06, "edge_on": 0.93, "merger": 0.12, "projection": 0.2, "star": 0.2}
UNSEEN = 0.06
"""Share of cutouts that nobody has voted on."""


def cast_votes(truth: Truth, rng: np.random.Generator) -> dict[str, float | None]:
    """Return the fraction of each answer, or None everywhere where nobody was asked."""
    if rng.uniform() < UNSEEN:
        return dict.fromkeys(VOTE_COLUMNS)
    featured = _share(FEATURED[truth.kind], rng)
    artefact = min(_share(0.02, rng), 1 - featured)
    edge_on = featured * _share(EDGE_ON[truth.kind], rng)
    merging = _share(_merger_opinion(truth), rng)
    odd = min(1.0, merging + _share(0.06, rng) * (1 - merging))
    dust = (odd - merging) * _share(0.2, rng)
    votes = (1 - featured - artefact, featured, artefact, edge_on, featured - edge_on, odd, 1 - odd, merging, dust)
    return {column: round(min(max(vote, 0.0), 1.0), 6) for column, vote in zip(VOTE_COLUMNS, votes, strict=True)}


def _share(opinion: float, rng: np.random.Generator) -> float:
    """Fraction of a crowd of about forty that says yes, when images differ by more than chance."""
    spread = 18.0
    taste = rng.beta(spread * opinion + 1e-3, spread * (1 - opinion) + 1e-3)
    crowd = int(rng.integers(34, 47))
    return float(rng.binomial(crowd, taste)) / crowd


def _merger_opinion(truth: Truth) -> float:
    """How likely a volunteer is to say "merger": tails and a second nucleus convince, a chance neighbour can."""
    if truth.kind == "merger":
        second = np.clip((truth.separation_px - 2) / 5, 0, 1)
        tails = np.clip(truth.stripped / 0.12, 0, 1)
        return float(0.18 + 0.37 * second + 0.37 * tails)
    if truth.kind == "projection":
        return float(0.3 - 0.2 * np.clip(truth.separation_px / 25, 0, 1))
    return 0.05 if truth.kind == "star" else 0.015

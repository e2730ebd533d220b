"""What volunteers would say about a cutout, from what could be seen in it.

A crowd of a few dozen answers the questions of Galaxy Zoo 2. It does not know the truth: a tail in the noise is
missed, two galaxies of like colour in line are taken for a pair, and a pair that has not yet met looks like such a
line. How sharply opinions follow what is seen is chosen such that mergers, edge-on discs, spirals and smooth galaxies
get about the mean votes that Galaxy Zoo 2 gave them.
"""

from __future__ import annotations

import math

import numpy as np

from mergerscope.simulate.truth import Truth
from mergerscope.simulate.vote_tree import ANSWERS, ask
from mergerscope.survey.kaggle import VOTE_COLUMNS

__all__ = ["VOTE_COLUMNS", "cast_votes", "merger_opinion"]

CROWD = (44, 7, 25, 75)
"""Mean, scatter, least and most volunteers of a cutout: Galaxy Zoo 2 has a median of 44."""
SURPRISE = 0.8
"""Scatter, in the natural logarithm, of what is odd about a cutout beyond what its truth says."""
DISCS = ("lenticular", "spiral", "edge_on", "irregular")


def cast_votes(truth: Truth, rng: np.random.Generator) -> dict[str, float]:
    """Return the 37 columns ``Class1.1`` to ``Class11.6`` of the Kaggle challenge.

    Answers are multiplied down the tree: ``Class2.*`` sum to ``Class1.2``, ``Class8.*`` to ``Class6.1`` and so on;
    ``Class8.6`` is "merger". Rounded to six places, as Kaggle's are.
    """
    mean, scatter, least, most = CROWD
    crowd = int(np.clip(round(rng.normal(mean, scatter)), least, most))
    return {column: round(vote, 6) for column, vote in ask(_opinions(truth, rng), crowd, rng).items()}


def merger_opinion(truth: Truth) -> float:
    """Return how likely a volunteer is to see a merger, 0 to 1: by torn light, or by a second galaxy in touch."""
    torn = _tail_seen(truth)
    pair = _step(truth.second_nucleus_snr, 7.0, 2.0) * _step(truth.separation_arcsec, 2.2, 0.35)
    # whoever is farther off than about the galaxy's own size is a neighbour; a bridge holds a pair together
    pair *= math.exp(-((truth.separation_r90 / (1.5 + 0.8 * torn)) ** 4))
    if truth.merger is None:
        # one that is in front has a sharp edge, another colour, another size; a star is round and has no size
        alike = math.exp(-((truth.colour_difference / 0.3) ** 2)) * min(1.0, truth.size_ratio / 0.5)
        pair *= 0.05 + 0.65 * alike
    return 1 - (1 - 0.68 * torn) * (1 - 0.88 * pair)


def _opinions(truth: Truth, rng: np.random.Generator) -> dict[int, np.ndarray]:
    torn, merging = _tail_seen(truth), merger_opinion(truth)
    featured, artefact = _featured(truth, merging), 0.5 if truth.truth_class == "trail" else 0.02
    edge_on = _edge_on(truth)
    spiral = truth.arm_contrast if truth.arms else 0.05 + 0.1 * torn
    # what else is odd, as weights of the answers to question 8; anything around a galaxy can catch the eye
    odd = {
        "ring": 0.45 * truth.ring * _resolved(truth),
        "lens or arc": 0.01,
        "disturbed": 0.02 + 0.24 * torn * (1 - 0.75 * merging),
        "irregular": 0.02 + 0.30 * (truth.truth_class == "irregular") + 0.12 * truth.clumpy,
        "other": 0.05 + 0.06 * merging + 0.1 * (truth.truth_class in ("projection", "star", "trail")),
        "merger": 0.012,
        "dust lane": 0.004 + 0.12 * truth.dust_lane * _resolved(truth),
    }
    weights = np.minimum([odd[name] for name in ANSWERS[8]] * rng.lognormal(0.0, SURPRISE, len(odd)), 0.9)
    weights[ANSWERS[8].index("merger")] += (1 - weights[ANSWERS[8].index("merger")]) * merging
    is_odd = 1 - float(np.prod(1 - weights))
    return {
        1: np.array([(1 - artefact) * (1 - featured), (1 - artefact) * featured, artefact]),
        2: _yes(edge_on),
        3: _yes(0.06 + 0.8 * truth.bar * _resolved(truth)),
        4: _yes(min(0.05 + 1.4 * spiral**0.7, 0.97)),
        5: _nearest(truth.bulge_fraction, (0.02, 0.12, 0.35, 0.7), 0.15),
        6: _yes(is_odd),
        7: _nearest(truth.axis_ratio, (0.93, 0.6, 0.22), 0.15),
        8: weights / weights.sum(),
        9: _share(0.15 + 1.6 * truth.bulge_fraction, 0.08, 0.5 * (1 - truth.bulge_fraction) ** 3),
        10: _nearest(1 - truth.arm_winding, (0.15, 0.5, 0.85), 0.25),
        11: _arm_number(truth),
    }


def _tail_seen(truth: Truth) -> float:
    # over one area of the point spread; a tail covers many, so that it is seen where one alone would drown
    return _step(truth.visible_tidal_snr, 1.6, 0.4)


def _featured(truth: Truth, merging: float) -> float:
    """Share that sees a disc or features: what is small or blurred is smooth to most."""
    seen = _resolved(truth)
    disc = 0.30 * (1 - truth.bulge_fraction) * seen if truth.truth_class in DISCS else 0.0
    structure = max(1.7 * truth.arm_contrast, 0.7 * truth.bar * seen, 0.8 * truth.clumpy * seen, 0.5 * truth.ring)
    thin = 0.8 * _edge_on(truth) * seen**0.3
    parts = (disc, min(structure, 0.95), thin, 0.62 * merging + 0.25 * _tail_seen(truth))
    return min(1 - 0.9 * math.prod(1 - part for part in parts), 0.97)


def _edge_on(truth: Truth) -> float:
    disc = 1.0 if truth.truth_class in DISCS else 0.5
    return min(0.96, 0.03 + disc * _step(0.31 - truth.axis_ratio, 0.0, 0.035, zero_at_zero=False))


def _resolved(truth: Truth) -> float:
    return 1 - math.exp(-max(truth.detail_resolution - 0.8, 0.0) / 1.8)


def _arm_number(truth: Truth) -> np.ndarray:
    said = np.full(6, 0.02)
    said[5] = 0.45 - 0.25 * min(truth.arm_contrast, 1.0)
    if truth.arms:
        said[min(truth.arms, 5) - 1] += 0.55
    return np.asarray(said / said.sum())


def _step(value: float, middle: float, width: float, *, zero_at_zero: bool = True) -> float:
    """A logistic rise from 0 to 1, taken to be 0 where there is nothing."""
    if zero_at_zero and value <= 0:
        return 0.0
    return 1 / (1 + math.exp(-min(max((value - middle) / width, -50.0), 50.0)))


def _yes(share: float) -> np.ndarray:
    return np.array([share, 1 - share])


def _share(*weights: float) -> np.ndarray:
    return np.array(weights) / sum(weights)


def _nearest(value: float, places: tuple[float, ...], blur: float) -> np.ndarray:
    """Opinions on a scale: the answer whose place is near the value gets most."""
    weights = np.exp(-0.5 * ((value - np.array(places)) / blur) ** 2) + 0.01
    return np.asarray(weights / weights.sum())

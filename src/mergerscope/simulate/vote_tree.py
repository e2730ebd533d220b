"""The decision tree of Galaxy Zoo 2, walked by a crowd (Willett et al. 2013, arXiv:1308.3496, table 2).

A column ``ClassQ.A`` of the Kaggle challenge is the share of answer A among those who were asked question Q, times the
share of the answer that led there. Questions 1 and 6 begin at 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ANSWERS", "LEADS_TO", "ask"]

Array = NDArray[Any]

ANSWERS: Mapping[int, tuple[str, ...]] = {
    1: ("smooth", "features or disc", "star or artefact"),
    2: ("edge-on", "not edge-on"),
    3: ("bar", "no bar"),
    4: ("spiral", "no spiral"),
    5: ("no bulge", "just noticeable", "obvious", "dominant"),
    6: ("odd", "not odd"),
    7: ("completely round", "in between", "cigar-shaped"),
    8: ("ring", "lens or arc", "disturbed", "irregular", "other", "merger", "dust lane"),
    9: ("rounded", "boxy", "no bulge"),
    10: ("tight", "medium", "loose"),
    11: ("1", "2", "3", "4", "more than 4", "cannot tell"),
}
"""Answers of each question, in the order of the columns."""
LEADS_TO: Mapping[int, tuple[int, int] | None] = {
    1: None, 2: (1, 2), 3: (2, 2), 4: (2, 2), 5: (2, 2), 6: None, 7: (1, 1), 8: (6, 1), 9: (2, 1), 10: (4, 1),
    11: (4, 1),
}  # fmt: skip
"""The question and answer (from 1) whose column the columns of a question sum to."""
TASTE = 14.0
"""How alike crowds answer: opinions on an image scatter around the mean as a Dirichlet distribution of this weight."""


def ask(opinions: Mapping[int, Array], crowd: int, rng: np.random.Generator) -> dict[str, float]:
    """Let a crowd walk the tree.

    Args:
        opinions: for each question the mean share of each answer, summing to 1.
        crowd: volunteers.
        rng: where the numbers come from.

    Returns:
        The 37 columns, multiplied down the tree, in Kaggle's order.
    """
    asked: dict[int, int] = {1: crowd}
    votes: dict[int, Array] = {}
    columns: dict[str, float] = {}
    for question, answers in ANSWERS.items():
        parent = LEADS_TO[question]
        if question == 6:
            # whoever sees an artefact is asked nothing more; one at least goes on, for the columns sum to 1
            asked[6] = max(crowd - int(votes[1][2]), 1)
        elif parent is not None:
            asked[question] = int(votes[parent[0]][parent[1] - 1])
        taste = rng.dirichlet(TASTE * np.clip(opinions[question], 1e-3, 1.0))
        votes[question] = rng.multinomial(asked[question], taste)
        above = 1.0 if parent is None else columns[f"Class{parent[0]}.{parent[1]}"]
        shares = votes[question] / max(asked[question], 1)
        columns |= {f"Class{question}.{i}": above * float(shares[i - 1]) for i in range(1, len(answers) + 1)}
    return columns

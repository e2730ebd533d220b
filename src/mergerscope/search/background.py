"""Which unlabelled galaxies stand for the background where not all of them can."""

from __future__ import annotations

from typing import Any

import numpy as np

from mergerscope.search.store import EmbeddingStore

__all__ = ["BACKGROUND", "sample_background"]

BACKGROUND = 5000
"""Galaxies that stand for all of them where each row is compared with each; more cost time and change little."""

SEED = 20260


def sample_background(
    store: EmbeddingStore, references: Any, count: int, twins: Any = ()
) -> np.ndarray[Any, Any]:
    """Return at most ``count`` row numbers of the survey that are no references, ascending, the same at every call.

    Unlabelled mergers are among them at the rate of the survey: nobody knows which they are. Not so the ``twins``, row
    numbers of galaxies with the pixels of a reference: these are known to look like a merger.
    """
    is_background = np.ones(store.survey.size, bool)
    is_background[np.asarray(references, dtype=np.int64)] = False
    is_background[np.asarray(twins, dtype=np.int64)] = False
    rows = np.flatnonzero(is_background)
    if len(rows) <= count:
        return rows
    return np.sort(np.random.default_rng(SEED).choice(rows, count, replace=False))

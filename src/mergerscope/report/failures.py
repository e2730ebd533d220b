"""Where the ranking is wrong: hidden mergers that it put low, and others that it put high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mergerscope.report.galleries import Gallery, gallery
from mergerscope.report.inputs import Inputs
from mergerscope.search.rankers import score

__all__ = ["Failures", "find_failures", "judged_order"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Failures:
    """The mistakes of the evaluated ranking, worst first, with the rank of each among the judged galaxies."""

    missed: Gallery
    surprising: Gallery
    judged: int
    """Galaxies in the ranking that the mistakes were found in."""


def judged_order(inputs: Inputs, ranker: str) -> Array:
    """Rank what `evaluate` judged by likeness to the references of the catalogue's own split.

    Returns:
        Row numbers of the store, best first; equal scores keep the order of the catalogue.
    """
    hidden = np.setdiff1d(inputs.labels.all_known, inputs.labels.references)
    rows = np.union1d(hidden, inputs.labels.negatives(inputs.params.evaluate.unknown))
    references = inputs.labels.references
    scores = score(ranker, inputs.store, references, inputs.params.rank, inputs.labels.twins(references))
    return rows[np.argsort(-scores[rows], kind="stable")]


def find_failures(inputs: Inputs) -> Failures | None:
    """Find the mistakes of the selected row; None where nothing was hidden or nothing judged."""
    selected = inputs.evaluation.selected
    if selected is None or not inputs.evaluation.hidden or not len(inputs.labels.references):
        return None
    order = judged_order(inputs, selected.ranker)
    size = inputs.params.report.gallery // 2 or 1
    places = np.arange(len(order))
    merger = inputs.known[order]
    beyond = places >= (inputs.evaluation.shown_k or 0)
    missed = places[merger & beyond][::-1][:size]
    surprising = places[~merger & np.isfinite(inputs.votes[order])][:size]
    return Failures(_gallery(inputs, order, missed), _gallery(inputs, order, surprising), len(order))


def _gallery(inputs: Inputs, order: Array, places: Array) -> Gallery:
    return gallery(inputs, inputs.store.ids[order[places]].tolist(), (places + 1).tolist())

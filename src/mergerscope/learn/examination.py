"""Who is searched for among whom when a training is validated: references among pool galaxies, nobody else.

Knows no network, so that a sweep can look at it before torch is loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mergerscope.errors import ContractError
from mergerscope.params import Params
from mergerscope.search.negatives import validation_negatives
from mergerscope.shards.manifest import Manifest
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.roles import POOL, REFERENCE, pictures

__all__ = ["Examination"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Examination:
    """The galaxies on which a training is validated.

    Attributes:
        ids: (N,) of all of them, in the order of the catalogue.
        references: row numbers among them.
        pool: row numbers of those that are taken for negatives.
        pictures: (N,) numbers, equal for equal pixels.
        judged_on: by what the validation is known again: only scores with equal digests are of one examination. The
            survey's is over ids and pixels of the catalogue; the split's over who is searched for among whom, in which
            folds.
    """

    ids: Array
    references: Array
    pool: Array
    pictures: Array
    judged_on: dict[str, str]

    @classmethod
    def of(cls, params: Params, manifest: Manifest, catalog: Catalog) -> Self:
        """Choose `train.monitor_images` packed galaxies: at most half of them references, two pool galaxies at least.

        Raises:
            ContractError: there is no reference or no pool galaxy among the packed ones.
        """
        refused = {refusal.id for refusal in manifest.refused}
        packed = np.array([name not in refused for name in catalog.ids.tolist()])
        # A twin of a reference, equal in pixels but without its vote, is no example of a merger.
        references = np.flatnonzero(packed & (catalog.role == REFERENCE) & catalog.known_merger)
        pool = np.flatnonzero(packed & (catalog.role == POOL))
        # A judged pool galaxy is known to be no merger; the others only fill up where there are too few of these.
        judged, unknown = pool[catalog.judged[pool]], pool[~catalog.judged[pool]]
        draw = np.random.default_rng(params.train.seed)
        most = max(2, params.train.monitor_images // 2)
        if len(references) > most:
            references = np.sort(draw.permutation(references)[:most])
        room = max(2, params.train.monitor_images - len(references))
        chosen = np.concatenate([draw.permutation(judged), draw.permutation(unknown)])[:room]
        if not len(references) or not len(chosen):
            raise ContractError(
                f"training is monitored on references among pool galaxies; got {len(references)} references and "
                f"{len(chosen)} pool galaxies in the shards. Check target.threshold and the refused images."
            )
        rows = np.sort(np.concatenate([references, chosen]))
        ids = catalog.ids[rows]
        inside = np.flatnonzero(np.isin(rows, references))
        # Judged ones were chosen first, so the rule gives here what it gives on the whole survey.
        negatives = np.flatnonzero(np.isin(rows, validation_negatives(chosen, catalog.judged)))
        judged_on = {
            "survey": _digest([catalog.ids, catalog.pixel_digest]),
            "split": _digest([ids, inside, negatives, [params.rank.folds, params.train.seed]]),
        }
        return cls(ids, inside, negatives, pictures(catalog.pixel_digest[rows]), judged_on)


def _digest(columns: Sequence[Any]) -> str:
    """Return 12 hex digits over some columns: enough to tell surveys apart, short enough for a table of metrics."""
    digest = hashlib.sha256()
    for column in columns:
        values = np.asarray(column)
        digest.update(values.dtype.str.encode() + values.tobytes())
    return digest.hexdigest()[:12]

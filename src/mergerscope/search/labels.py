"""What the catalogue knows of each embedded galaxy, and who is ranked against whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mergerscope.errors import ContractError
from mergerscope.search.bootstrap import Split
from mergerscope.search.negatives import validation_negatives
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.names import as_names
from mergerscope.survey.roles import HIDDEN, POOL, REFERENCE, ROLES, assign_roles, role_codes

__all__ = ["Labels"]

Array = np.ndarray[Any, Any]

SEED_STEP = 1_000_003
"""Between the seeds of the further splits: large, so that they do not meet the catalogue's own of another seed."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Columns over the N rows of an embedding store.

    Attributes:
        rows: (N,) row of each galaxy in the catalogue.
        known: (N,) bool, known mergers.
        vote: (N,) of the target column, NaN where nobody voted.
        roles: (N,) int8 the catalogue's own, see `mergerscope.survey.roles.role_codes`.
        pictures: (N,) numbers, equal for equal pixels.
    """

    rows: Array
    known: Array
    vote: Array
    roles: Array
    pictures: Array

    @classmethod
    def of(cls, catalog: Catalog, ids: Array) -> Self:
        """Look up each id, given as text or, of millions, as bytes (`mergerscope.survey.names`).

        Raises:
            ContractError: an id is not in the catalogue.
        """
        names, known = as_names(ids), catalog.names()
        rows = np.searchsorted(known, names).clip(max=max(0, len(known) - 1))
        wrong = names[known[rows] != names] if len(known) else names
        if len(wrong):
            raise ContractError(f"{len(wrong)} embedded galaxies are not in the catalogue, the first is "
                                f"{wrong[0].decode()}. Run `dvc repro`, which makes both anew.")
        return cls(
            rows=rows, known=catalog.known_merger[rows], vote=catalog.vote[rows], roles=catalog.role_codes()[rows],
            pictures=catalog.pictures()[rows],
        )

    def has(self, role: str) -> Array:
        """(N,) bool, which galaxies have a role in the catalogue."""
        return np.asarray(self.roles == ROLES.index(role))

    @property
    def references(self) -> Array:
        """Row numbers of the catalogue's references."""
        return np.flatnonzero(self.has(REFERENCE) & self.known)

    @property
    def all_known(self) -> Array:
        """Row numbers of all known mergers."""
        return np.flatnonzero(self.known)

    def twins(self, references: Array) -> Array:
        """Row numbers of the galaxies that have the pixels of a reference, but are no known mergers themselves."""
        return np.flatnonzero(np.isin(self.pictures, self.pictures[references]) & ~self.known)

    def negatives(self, unknown: str) -> Array:
        """Row numbers of the pool galaxies that count as no mergers.

        Args:
            unknown: what galaxies without a vote are: ``leave_out`` or ``negative``.
        """
        judged = np.isfinite(self.vote) if unknown == "leave_out" else np.ones(len(self.vote), bool)
        return np.flatnonzero(self.has(POOL) & judged)

    def validation_pool(self) -> Array:
        """Row numbers of the galaxies among which held-out references are searched, see `validation_negatives`.

        No known merger, hidden or not, is among them.
        """
        return validation_negatives(self.negatives("negative"), np.isfinite(self.vote))

    def background(self) -> Array:
        """Row numbers of the galaxies that a validation takes for unlabelled background: all that are in the pool.

        No hidden merger is among them, nor any picture of a known merger under the id of another galaxy.
        """
        return self.negatives("negative")

    def splits(self, catalog: Catalog, count: int, seed: int, hidden_fraction: float, unknown: str) -> list[Split]:
        """Return ``count`` splits: the catalogue's own roles, then others of the same rule with other seeds.

        Further splits cover the same galaxies: known mergers change sides, the negatives are the same.
        """
        splits = [self._split(self.roles, unknown)]
        for number in range(1, count):
            flags: Sequence[bool] = catalog.known_merger.tolist()
            roles = assign_roles(
                catalog.ids.tolist(), flags, catalog.pixel_digest.tolist(), seed + SEED_STEP * number, hidden_fraction
            )
            splits.append(self._split(role_codes(roles)[self.rows], unknown))
        return splits

    def _split(self, roles: Array, unknown: str) -> Split:
        hidden = np.flatnonzero((roles == ROLES.index(HIDDEN)) & self.known)
        listed = np.concatenate([hidden, self.negatives(unknown)])
        references = np.flatnonzero((roles == ROLES.index(REFERENCE)) & self.known)
        return Split(
            references=references,
            twins=self.twins(references),
            listed=listed,
            positive=np.arange(len(listed)) < len(hidden),
            grades=np.nan_to_num(self.vote[listed]),
        )

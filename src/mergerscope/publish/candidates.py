"""The rows of the ranked list, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mergerscope.publish.columns import NEAREST, Column, arrow_schema, candidate_columns, nullable
from mergerscope.publish.links import legacy_viewer, sdss
from mergerscope.publish.sky import first_of_group
from mergerscope.search.labels import Labels
from mergerscope.search.nearest import nearest_references
from mergerscope.search.shortlist import rank_order
from mergerscope.search.store import EmbeddingStore
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.names import as_texts

__all__ = ["Candidates"]

Array = np.ndarray[Any, Any]

CHUNK = 1 << 16
"""Rows that are made at once."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Every galaxy that is neither a reference nor the twin of one, best first.

    Attributes:
        catalog: positions and votes.
        store: the embeddings.
        labels: of the store's galaxies.
        ranked: (N,) row numbers in the store, best first.
        scores: of all galaxies of the store.
        near: (N, NEAREST) row numbers of the references that each is most like, -1 where there are fewer.
        similarity: (N, NEAREST) to those.
        duplicate_of: (N,) row number in the store of the first galaxy at the same place, -1 for that one itself.
        votes: (M,) of all galaxies of the catalogue, by column.
        columns: what `chunks` holds.
    """

    catalog: Catalog
    store: EmbeddingStore
    labels: Labels
    ranked: Array
    scores: Array
    near: Array
    similarity: Array
    duplicate_of: Array
    votes: list[Array]
    columns: list[Column]

    @classmethod
    def order(
        cls, catalog: Catalog, store: EmbeddingStore, labels: Labels, references: Array, twins: Array, scores: Array,
        duplicates_arcsec: float,
    ) -> Candidates:
        """Put the galaxies in order, and find those that are one object on the sky.

        A known merger, or a twin of one, comes first in its group whatever the score: a second entry of it is no find.
        """
        left_out = np.concatenate([references, twins])
        ranked = rank_order(scores, store.names)
        ranked = ranked[np.isin(ranked, left_out, invert=True)]
        every = np.concatenate([left_out, ranked])
        rows = labels.rows[every]
        first = every[first_of_group(catalog.ra_deg[rows], catalog.dec_deg[rows], duplicates_arcsec)]
        duplicate_of = np.where(first == every, -1, first)[len(left_out) :]
        votes = [catalog.votes(name) for name in catalog.vote_columns]
        columns = candidate_columns(store.names.dtype.itemsize, catalog.vote_columns)
        # All at once: in the order of the files, as it reads them, the rows of a chunk of the list lie far apart.
        near, similarity = nearest_references(store, ranked, references, NEAREST)
        return cls(catalog, store, labels, ranked, scores, near, similarity, duplicate_of, votes, columns)

    def __len__(self) -> int:
        return len(self.ranked)

    @property
    def duplicates(self) -> int:
        """Galaxies that are flagged as further entries of another."""
        return int((self.duplicate_of >= 0).sum())

    def chunks(self) -> Iterator[pa.Table]:
        """Yield the list as tables with `columns`."""
        schema = arrow_schema(self.columns)
        for start in range(0, len(self), CHUNK):
            yield pa.table(self._arrays(start, min(len(self), start + CHUNK)), schema=schema)

    def _arrays(self, start: int, stop: int) -> list[pa.Array]:
        ranked = self.ranked[start:stop]
        near, similarity = self.near[start:stop], self.similarity[start:stop]
        rows = self.labels.rows[ranked]
        ra, dec = self.catalog.ra_deg[rows], self.catalog.dec_deg[rows]
        return [
            pa.array(np.arange(start + 1, stop + 1)),
            pa.array(as_texts(self.store.names[ranked])),
            nullable(ra),
            nullable(dec),
            pa.array(self.scores[ranked]),
            *(self._names(near[:, place]) for place in range(NEAREST)),
            *(nullable(similarity[:, place]) for place in range(NEAREST)),
            *(nullable(column[rows]) for column in self.votes),
            self._names(self.duplicate_of[start:stop]),
            legacy_viewer(ra, dec),
            sdss(ra, dec),
        ]

    def _names(self, rows: Array) -> pa.Array:
        return pa.array(as_texts(self.store.names[rows]), mask=rows < 0)

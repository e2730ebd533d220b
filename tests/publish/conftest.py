"""A small survey with embeddings, and the list that is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mergerscope.params import Params, parse_params
from mergerscope.paths import Paths
from mergerscope.publish.candidates import Candidates
from mergerscope.publish.files import write_candidates
from mergerscope.publish.made_from import KEY, made_from
from mergerscope.search.labels import Labels
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write_store import StoreWriter
from mergerscope.survey.catalog_file import METADATA_KEY, read_catalog, write_catalog

KNOWN, GALAXIES = 3, 40


@dataclass
class Project:
    """A project as `embed` leaves it; galaxies g00, g01, g02 are known mergers, and g05 scores above g06 and so on."""

    paths: Paths
    params: Params

    def rank(self) -> Candidates:
        catalog, store = read_catalog(self.paths.catalog), EmbeddingStore.open(self.paths.embeddings)
        labels = Labels.of(catalog, store.ids)
        scores = -np.arange(store.size, dtype=np.float32)
        found = Candidates.order(
            catalog, store, labels, labels.all_known, np.empty(0, np.int64), scores, self.params.rank.duplicates_arcsec
        )
        write_candidates(
            self.paths.rank_results, found.columns, found.chunks(), len(found), self.params.rank.top,
            {KEY: made_from(self.paths, self.params)},
        )
        return found


def make_project(root: Path, ra: np.ndarray, dec: np.ndarray, votes: dict[str, np.ndarray] | None = None) -> Project:
    count = len(ra)
    paths, params = Paths(root), parse_params({"rank": {"top": 10}})
    root.mkdir(exist_ok=True)
    paths.params.write_text("rank: {top: 10}\n")
    ids = [f"g{row:02d}" for row in range(count)]
    known = np.arange(count) < KNOWN
    votes = {"p_merger": np.linspace(0, 1, count)} if votes is None else votes
    table = pa.table({
        "id": ids, "image": ids, "ra_deg": place(ra), "dec_deg": place(dec), "pixel_digest": ids,
        "vote": pa.array(known.astype(float)), "known_merger": known, "judged": np.ones(count, bool),
        "role": np.where(known, "reference", "pool"), **{name: place(values) for name, values in votes.items()},
    })  # fmt: skip
    about = b'{"vote_columns": [%s], "target": {}, "survey_format": "table"}' % ", ".join(
        f'"{name}"' for name in votes
    ).encode()
    write_catalog(table.replace_schema_metadata({METADATA_KEY: about}), paths.catalog)
    writer = StoreWriter(paths.embeddings)
    writer.add(ids, np.random.default_rng(1).normal(size=(count, 8)).astype(np.float32))
    writer.close()
    return Project(paths, params)


def place(values: np.ndarray) -> pa.Array:
    return pa.array(np.asarray(values, float), mask=~np.isfinite(values))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Forty galaxies around the crossing of equator and 0 hours; the last has no position, g07 is g06 again."""
    rng = np.random.default_rng(2)
    ra, dec = np.mod(rng.uniform(-1, 1, GALAXIES), 360), rng.uniform(-1, 1, GALAXIES)
    ra[7], dec[7] = ra[6] + 1 / 3600, dec[6]
    ra[-1] = dec[-1] = np.nan
    return make_project(tmp_path / "project", ra, dec)


@pytest.fixture
def make(tmp_path: Path):
    return lambda *places, **votes: make_project(tmp_path / "made", *places, **votes)

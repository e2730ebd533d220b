"""From a survey in any known format to the one catalogue that every later stage reads."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path

import numpy as np
import pyarrow as pa

from mergerscope.errors import SurveyError
from mergerscope.params import SplitParams, SurveyParams, TargetParams
from mergerscope.survey.catalog_file import FIXED_COLUMNS, METADATA_KEY, Catalog, read_catalog, write_catalog
from mergerscope.survey.digests import pixel_digests, why_refused
from mergerscope.survey.formats import open_survey
from mergerscope.survey.layout import Layout, images_without_row, read_rows
from mergerscope.survey.records import Galaxy, Refusal
from mergerscope.survey.refusals import check_share
from mergerscope.survey.roles import assign_roles

__all__ = ["Catalog", "CatalogResult", "build_catalog", "read_catalog", "write_catalog"]


@dataclass(frozen=True, slots=True)
class CatalogResult:
    """The catalogue, and everything that did not get in."""

    table: pa.Table
    """Columns `FIXED_COLUMNS` and the votes, sorted by id."""
    refused: list[Refusal]
    """Rows in the table's order, then images without a row; ``rows + images_without_row`` is the catalogue's length
    plus the length of this."""
    format: str
    """``kaggle`` or ``table``."""
    vote_columns: tuple[str, ...]
    target: TargetParams
    rows: int
    """Rows of the survey's table."""
    images_without_row: int
    ignored_columns: dict[str, str]
    """Columns of the survey's table that are left out, and why."""
    notes: tuple[str, ...]
    """Further things that a user should be told."""


def build_catalog(
    root: Path,
    survey: SurveyParams,
    target: TargetParams,
    split: SplitParams,
    *,
    max_refused: float = 1.0,
    workers: int = 0,
) -> CatalogResult:
    """Read a survey, decode its images once to find duplicates, and give every galaxy its role.

    Args:
        root: the survey's folder.
        survey: its format.
        target: the vote column and threshold that make a known merger.
        split: seed and share of the known mergers that are hidden.
        max_refused: largest share of rows and images without a row that may be refused.
        workers: processes that decode; 0 means one a core.

    Raises:
        SurveyError: it is of no known format, empty, lacks the target column or has no known merger.
        TooManyRefusedError: more than ``max_refused`` of it is unusable.
    """
    layout = open_survey(root, survey.format, target.column)
    columns, refused = _read(layout)
    rows = len(columns.ids) + len(refused)
    if not rows:
        raise SurveyError(f"{layout.table.path} has a header and no rows: there is nothing to search.")
    refused += images_without_row(layout)
    check_share(refused, len(columns.ids) + len(refused), max_refused)
    _check_known(columns, layout, target)
    digests = pixel_digests(root, columns.image, workers)
    return CatalogResult(
        table=_table(columns, digests, root, layout, target, split),
        refused=refused,
        format=layout.format,
        vote_columns=layout.votes,
        target=target,
        rows=rows,
        images_without_row=len(columns.ids) + len(refused) - rows,
        ignored_columns=layout.ignored_columns,
        notes=layout.notes,
    )


@dataclass(slots=True)
class _Columns:
    """Galaxies column by column: a tenth of the memory of as many records."""

    ids: list[str] = field(default_factory=list)
    image: list[str] = field(default_factory=list)
    ra_deg: array[float] = field(default_factory=lambda: array("d"))
    dec_deg: array[float] = field(default_factory=lambda: array("d"))
    votes: dict[str, array[float]] = field(default_factory=dict)

    def add(self, galaxy: Galaxy) -> None:
        self.ids.append(galaxy.id)
        self.image.append(galaxy.image)
        self.ra_deg.append(nan if galaxy.ra_deg is None else galaxy.ra_deg)
        self.dec_deg.append(nan if galaxy.dec_deg is None else galaxy.dec_deg)
        for name, values in self.votes.items():
            vote = galaxy.votes[name]
            values.append(nan if vote is None else vote)


def _read(layout: Layout) -> tuple[_Columns, list[Refusal]]:
    columns = _Columns(votes={name: array("d") for name in layout.votes})
    refused: list[Refusal] = []
    for item in read_rows(layout):
        if isinstance(item, Refusal):
            refused.append(item)
        else:
            columns.add(item)
    return columns, refused


def _check_known(columns: _Columns, layout: Layout, target: TargetParams) -> None:
    votes = np.array(columns.votes[target.column])
    if (votes > target.threshold).any():
        return
    judged = int(np.isfinite(votes).sum())
    if judged:
        at = int(np.nanargmax(votes))
        found = f"the highest of {judged} votes is {votes[at]:g} (galaxy {columns.ids[at]})"
    else:
        found = "nobody has voted on any galaxy"
    raise SurveyError(
        f"{layout.table.path} has no known merger: {target.column} must lie above {target.threshold:g}, and {found}. "
        f"Lower target.threshold in params.yaml, or choose another target.column ({', '.join(layout.votes)})."
    )


def _table(
    columns: _Columns, digests: Sequence[str | None], root: Path, layout: Layout, target: TargetParams,
    split: SplitParams,
) -> pa.Table:  # fmt: skip
    votes = np.array(columns.votes[target.column])
    known = votes > target.threshold  # False where nobody voted
    if not any(digest for digest, is_known in zip(digests, known, strict=True) if is_known):
        first = columns.image[int(np.flatnonzero(known)[0])]
        why = why_refused(root, first)
        raise SurveyError(
            f"{layout.table.path}: of the {known.sum()} known mergers none has an image that can be decoded, so there "
            f"is nothing to compare with. The first, {first}, was refused ({why.reason}): {why.detail}."
        )
    roles = assign_roles(columns.ids, known.tolist(), digests, split.seed, split.hidden_fraction)
    fixed = [columns.ids, columns.image, np.array(columns.ra_deg), np.array(columns.dec_deg), digests,
             votes, known, np.isfinite(votes), roles]  # fmt: skip
    data = dict(zip(FIXED_COLUMNS, fixed, strict=True)) | {
        name: np.array(values) for name, values in columns.votes.items()
    }
    about = {
        "vote_columns": list(layout.votes),
        "target": {"column": target.column, "threshold": target.threshold},
        "survey_format": layout.format,
    }
    schema = pa.schema(
        FIXED_COLUMNS | dict.fromkeys(layout.votes, pa.float64()), {METADATA_KEY: json.dumps(about)}
    )
    arrays = [pa.array(data[name], type=schema.field(name).type, from_pandas=True) for name in schema.names]
    return pa.Table.from_arrays(arrays, schema=schema).sort_by("id")

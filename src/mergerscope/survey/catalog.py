"""From a survey in any known format to the one catalogue that every later stage reads."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from pathlib import Path

import numpy as np
import pyarrow as pa

from mergerscope.errors import SurveyError
from mergerscope.params import SplitParams, SurveyParams, TargetParams
from mergerscope.survey.catalog_file import (
    EBV_COLUMN,
    FIXED_COLUMNS,
    METADATA_KEY,
    Catalog,
    read_catalog,
    write_catalog,
)
from mergerscope.survey.digests import pixel_digests, why_refused
from mergerscope.survey.flux import look
from mergerscope.survey.flux.image import FluxSpec, settle
from mergerscope.survey.formats import open_survey
from mergerscope.survey.layout import OpenSurvey
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
    """``kaggle``, ``table``, ``fits`` or ``hdf5``."""
    vote_columns: tuple[str, ...]
    target: TargetParams
    rows: int
    """Rows of the survey's table."""
    images_without_row: int
    ignored_columns: dict[str, str]
    """Columns of the survey's table that are left out, and why."""
    notes: tuple[str, ...]
    """Further things that a user should be told."""
    flux: FluxSpec | None = None
    """How the images' flux is read; None where they are pictures."""


def build_catalog(
    root: Path,
    survey: SurveyParams,
    target: TargetParams,
    split: SplitParams,
    *,
    bands: tuple[str, ...] = (),
    zero_point: float | None = None,
    max_refused: float = 1.0,
    workers: int = 0,
) -> CatalogResult:
    """Read a survey, decode its images once to find duplicates, and give every galaxy its role.

    Args:
        root: the survey's folder.
        survey: its format.
        target: the vote column and threshold that make a known merger.
        split: seed and share of the known mergers that are hidden.
        bands: of flux, the wanted ones; () takes those that most galaxies have.
        zero_point: of flux, AB magnitude of one count where the files do not say.
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
        raise SurveyError(f"{layout.where} has a header and no rows: there is nothing to search.")
    refused += layout.images_without_row()
    check_share(refused, len(columns.ids) + len(refused), max_refused)
    _check_known(columns, layout, target)
    flux: FluxSpec | None = None
    if layout.holds_flux:
        digests, flux = _look(columns, root, FluxSpec(bands, "", zero_point), workers)
    else:
        digests = pixel_digests(root, columns.image, workers)
    return CatalogResult(
        table=_table(columns, digests, root, layout, target, split, flux),
        refused=refused,
        format=layout.format,
        vote_columns=layout.votes,
        target=target,
        rows=rows,
        images_without_row=len(columns.ids) + len(refused) - rows,
        ignored_columns=layout.ignored_columns,
        notes=layout.notes,
        flux=flux,
    )


@dataclass(slots=True)
class _Columns:
    """Galaxies column by column: a tenth of the memory of as many records."""

    ids: list[str] = field(default_factory=list)
    image: list[str] = field(default_factory=list)
    ra_deg: array[float] = field(default_factory=lambda: array("d"))
    dec_deg: array[float] = field(default_factory=lambda: array("d"))
    ebv: array[float] = field(default_factory=lambda: array("d"))
    votes: dict[str, array[float]] = field(default_factory=dict)

    def add(self, galaxy: Galaxy) -> None:
        self.ids.append(galaxy.id)
        self.image.append(galaxy.image)
        self.ra_deg.append(nan if galaxy.ra_deg is None else galaxy.ra_deg)
        self.dec_deg.append(nan if galaxy.dec_deg is None else galaxy.dec_deg)
        self.ebv.append(nan if galaxy.ebv is None else galaxy.ebv)
        for name, values in self.votes.items():
            vote = galaxy.votes[name]
            values.append(nan if vote is None else vote)


def _read(layout: OpenSurvey) -> tuple[_Columns, list[Refusal]]:
    columns = _Columns(votes={name: array("d") for name in layout.votes})
    refused: list[Refusal] = []
    for item in layout.rows():
        if isinstance(item, Refusal):
            refused.append(item)
        else:
            columns.add(item)
    return columns, refused


def _look(columns: _Columns, root: Path, spec: FluxSpec, workers: int) -> tuple[list[str | None], FluxSpec]:
    """Return the digests and how the flux is read; where the table has no position or reddening, take the file's."""
    blank = [isnan(ra) for ra in columns.ra_deg]
    seen = look.look_at(root, columns.image, spec, want_position=any(blank), workers=workers)
    for row, one in enumerate(seen):
        if one is None:
            continue
        if blank[row] and one.ra_deg is not None and one.dec_deg is not None:
            columns.ra_deg[row], columns.dec_deg[row] = one.ra_deg, one.dec_deg
        if one.ebv is not None and isnan(columns.ebv[row]):
            columns.ebv[row] = one.ebv
    usable = [(one.bands, one.unit) for one in seen if one is not None]
    if not usable and columns.image:
        why = look.why_refused(root, columns.image[0], spec)
        raise SurveyError(
            f"{root}: none of {len(seen)} images can be read. The first, {columns.image[0]}, was refused "
            f"({why.reason}): {why.detail}."
        )
    return [None if one is None else one.digest for one in seen], settle(usable, spec)


def _check_known(columns: _Columns, layout: OpenSurvey, target: TargetParams) -> None:
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
        f"{layout.where} has no known merger: {target.column} must lie above {target.threshold:g}, and {found}. "
        f"Lower target.threshold in params.yaml, or choose another target.column ({', '.join(layout.votes)})."
    )


def _table(
    columns: _Columns, digests: Sequence[str | None], root: Path, layout: OpenSurvey, target: TargetParams,
    split: SplitParams, flux: FluxSpec | None,
) -> pa.Table:  # fmt: skip
    votes = np.array(columns.votes[target.column])
    known = votes > target.threshold  # False where nobody voted
    if not any(digest for digest, is_known in zip(digests, known, strict=True) if is_known):
        first = columns.image[int(np.flatnonzero(known)[0])]
        why = why_refused(root, first) if flux is None else look.why_refused(root, first, flux)
        raise SurveyError(
            f"{layout.where}: of the {known.sum()} known mergers none has an image that can be decoded, so there "
            f"is nothing to compare with. The first, {first}, was refused ({why.reason}): {why.detail}."
        )
    roles = assign_roles(columns.ids, known.tolist(), digests, split.seed, split.hidden_fraction)
    fixed = [columns.ids, columns.image, np.array(columns.ra_deg), np.array(columns.dec_deg), digests,
             votes, known, np.isfinite(votes), roles]  # fmt: skip
    data = dict(zip(FIXED_COLUMNS, fixed, strict=True)) | {"ebv": np.array(columns.ebv)} | {
        name: np.array(values) for name, values in columns.votes.items()
    }
    about: dict[str, object] = {
        "vote_columns": list(layout.votes),
        "target": {"column": target.column, "threshold": target.threshold},
        "survey_format": layout.format,
    }
    if flux is not None:  # a catalogue of pictures stays what it was
        about["flux"] = {"bands": list(flux.bands), "unit": flux.unit, "zero_point": flux.zero_point}
    extra = {} if flux is None else EBV_COLUMN
    schema = pa.schema(
        FIXED_COLUMNS | extra | dict.fromkeys(layout.votes, pa.float64()), {METADATA_KEY: json.dumps(about)}
    )
    arrays = [pa.array(data[name], type=schema.field(name).type, from_pandas=True) for name in schema.names]
    return pa.Table.from_arrays(arrays, schema=schema).sort_by("id")

"""catalog.parquet: one row a galaxy, sorted by id; written byte for byte the same from the same survey."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.files import replacing
from mergerscope.survey.flux.image import FluxSpec
from mergerscope.survey.roles import ROLES

__all__ = ["EBV_COLUMN", "FIXED_COLUMNS", "METADATA_KEY", "Catalog", "read_catalog", "write_catalog"]

METADATA_KEY = b"mergerscope"
FIXED_COLUMNS = {
    "id": pa.string(),
    "image": pa.string(),
    "ra_deg": pa.float64(),
    "dec_deg": pa.float64(),
    "pixel_digest": pa.string(),
    "vote": pa.float64(),
    "known_merger": pa.bool_(),
    "judged": pa.bool_(),
    "role": pa.string(),
}
"""In the file's order; the vote columns follow under their own names."""
EBV_COLUMN = {"ebv": pa.float64()}
"""Before the votes, in the catalogue of a survey of flux: Galactic reddening, mag, null where unknown."""

SLICE = 1 << 16

Strings = npt.NDArray[np.str_]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """The catalogue as NumPy columns of one length N, in the file's order, which is that of all later stages."""

    ids: Strings
    """(N,) unique and sorted."""
    image: Strings
    """(N,) references for `mergerscope.survey.images.ImageStore`."""
    ra_deg: Floats
    """(N,) degrees; NaN where unknown."""
    dec_deg: Floats
    """(N,) degrees; NaN where unknown."""
    pixel_digest: Strings
    """(N,) equal for equal pixels; empty where the image cannot be decoded."""
    vote: Floats
    """(N,) of the target column; NaN where nobody voted."""
    known_merger: Bools
    """(N,) whether the vote lies above the threshold."""
    judged: Bools
    """(N,) whether there is a vote."""
    role: Strings
    """(N,) reference, hidden or pool."""
    vote_columns: tuple[str, ...]
    target: dict[str, Any]
    """Column and threshold by which mergers are known."""
    survey_format: str
    flux: FluxSpec | None
    """How the images' flux is read; None where they are pictures."""
    ebv: Floats
    """(N,) Galactic reddening E(B-V), mag; NaN where unknown."""
    table: pa.Table
    """All columns as in the file."""

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, role: str) -> npt.NDArray[np.intp]:
        """Return the positions of the galaxies with a role, ascending.

        Raises:
            ContractError: no such role.
        """
        if role not in ROLES:
            raise ContractError(f"there is no role {role!r}; there are {', '.join(ROLES)}.")
        return np.flatnonzero(self.role == role)

    def votes(self, column: str) -> Floats:
        """Return one vote column, (N,), NaN where nobody voted.

        Raises:
            ContractError: no such column.
        """
        if column not in self.vote_columns:
            raise ContractError(f"the catalogue has no vote column {column!r}; it has {', '.join(self.vote_columns)}.")
        return _floats(self.table, column)


def write_catalog(table: pa.Table, path: Path) -> None:
    """Write the table, whole or not at all."""
    with replacing(path) as fresh:
        pq.write_table(table, fresh, compression="zstd")


def read_catalog(path: Path) -> Catalog:
    """Read what the catalog stage wrote.

    Raises:
        MissingInputError: no such file.
        ContractError: it lacks columns or has others types than it should.
    """
    if not path.is_file():
        raise MissingInputError(path, made_by="catalog")
    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[METADATA_KEY])
        vote_columns, target, survey_format = tuple(about["vote_columns"]), about["target"], about["survey_format"]
        flux = _flux(about.get("flux"))
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise ContractError(f"{path} is no catalogue ({error}). Run `mergerscope catalog` again.") from None
    expected = FIXED_COLUMNS | (EBV_COLUMN if flux else {}) | dict.fromkeys(vote_columns, pa.float64())
    wrong = [name for name, kind in expected.items() if table.schema.get_field_index(name) < 0
             or table.schema.field(name).type != kind]  # fmt: skip
    if wrong:
        raise ContractError(f"{path}: columns are missing or of a wrong type: {', '.join(wrong)}. "
                            "Run `mergerscope catalog` again.")  # fmt: skip
    return Catalog(
        ids=_strings(table, "id"), image=_strings(table, "image"), pixel_digest=_strings(table, "pixel_digest"),
        ra_deg=_floats(table, "ra_deg"), dec_deg=_floats(table, "dec_deg"), vote=_floats(table, "vote"),
        known_merger=_bools(table, "known_merger"), judged=_bools(table, "judged"), role=_strings(table, "role"),
        vote_columns=vote_columns, target=target, survey_format=survey_format, table=table, flux=flux,
        ebv=_floats(table, "ebv") if flux else np.full(len(table), np.nan),
    )  # fmt: skip


def _flux(about: dict[str, Any] | None) -> FluxSpec | None:
    if about is None:
        return None
    return FluxSpec(tuple(about["bands"]), about["unit"], about["zero_point"])


def _strings(table: pa.Table, name: str) -> Strings:
    column = table[name]
    out = np.zeros(len(column), f"U{max(1, pc.max(pc.utf8_length(column)).as_py() or 1)}")
    # In slices: millions of Python strings at once would take more memory than the array.
    for start in range(0, len(column), SLICE):
        out[start : start + SLICE] = column.slice(start, SLICE).fill_null("").to_pylist()
    return out


def _floats(table: pa.Table, name: str) -> Floats:
    values: Floats = table[name].to_numpy().astype(np.float64, copy=False)  # nulls become NaN
    return values


def _bools(table: pa.Table, name: str) -> Bools:
    values: Bools = table[name].to_numpy().astype(np.bool_, copy=False)
    return values

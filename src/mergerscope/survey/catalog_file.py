"""catalog.parquet: one row a galaxy, sorted by id; written byte for byte the same from the same survey."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.files import replacing
from mergerscope.survey.flux.image import FluxSpec
from mergerscope.survey.names import Names, Texts, column_names, column_texts
from mergerscope.survey.roles import ROLES, pictures, role_codes

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

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Catalog:
    """The catalogue as NumPy columns of one length N, in the file's order, which is that of all later stages.

    A column is read when it is first asked for, and kept. Texts take four bytes a letter as NumPy has them: what works
    on millions of galaxies asks for `names`, `role_codes` and `pictures` instead, which keep nothing.
    """

    source: pq.ParquetFile | pa.Table
    """All columns, in the open file or in memory. A file that is replaced stays as it was for who has it open."""
    vote_columns: tuple[str, ...]
    target: dict[str, Any]
    """Column and threshold by which mergers are known."""
    survey_format: str
    flux: FluxSpec | None
    """How the images' flux is read; None where they are pictures."""

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process gets: the columns, for an open file cannot be handed over."""
        return {part.name: getattr(self, part.name) for part in fields(self)} | {"source": self.table}

    def __len__(self) -> int:
        return int(self.source.num_rows if isinstance(self.source, pa.Table) else self.source.metadata.num_rows)

    @cached_property
    def ids(self) -> Texts:
        """(N,) unique and sorted."""
        return column_texts(self._column("id"))

    @cached_property
    def image(self) -> Texts:
        """(N,) references for `mergerscope.survey.images.ImageStore`."""
        return column_texts(self._column("image"))

    @cached_property
    def ra_deg(self) -> Floats:
        """(N,) degrees; NaN where unknown."""
        return _floats(self._column("ra_deg"))

    @cached_property
    def dec_deg(self) -> Floats:
        """(N,) degrees; NaN where unknown."""
        return _floats(self._column("dec_deg"))

    @cached_property
    def pixel_digest(self) -> Texts:
        """(N,) equal for equal pixels; empty where the image cannot be decoded."""
        return column_texts(self._column("pixel_digest"))

    @cached_property
    def vote(self) -> Floats:
        """(N,) of the target column; NaN where nobody voted."""
        return _floats(self._column("vote"))

    @cached_property
    def known_merger(self) -> Bools:
        """(N,) whether the vote lies above the threshold."""
        return _bools(self._column("known_merger"))

    @cached_property
    def judged(self) -> Bools:
        """(N,) whether there is a vote."""
        return _bools(self._column("judged"))

    @cached_property
    def role(self) -> Texts:
        """(N,) reference, hidden or pool."""
        return column_texts(self._column("role"))

    @cached_property
    def ebv(self) -> Floats:
        """(N,) Galactic reddening E(B-V), mag; NaN where unknown."""
        return _floats(self._column("ebv")) if self.flux else np.full(len(self), np.nan)

    @property
    def table(self) -> pa.Table:
        """All columns as in the file."""
        return self.source if isinstance(self.source, pa.Table) else self._read(self.source.schema_arrow.names)

    def names(self) -> Names:
        """Return the ids as bytes, see `mergerscope.survey.names`, (N,)."""
        return column_names(self._column("id"))

    def role_codes(self) -> npt.NDArray[np.int8]:
        """Return the roles as numbers, see `mergerscope.survey.roles.role_codes`, (N,)."""
        return role_codes(self._column("role"))

    def pictures(self) -> npt.NDArray[np.int64]:
        """Return a number for each galaxy, equal for equal pixels and for no others, (N,)."""
        return pictures(column_names(self._column("pixel_digest")))

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
        return _floats(self._column(column))

    def take(self, rows: npt.NDArray[np.integer[Any]]) -> Catalog:
        """Return the catalogue of some galaxies, in memory; ``rows`` ascends."""
        return replace(self, source=self.table.take(pa.array(rows)))

    def with_columns(self, **columns: Any) -> Catalog:
        """Return the catalogue, in memory, with some columns of the file replaced by (N,) others."""
        table = self.table
        for name, values in columns.items():
            place, field = table.schema.get_field_index(name), table.schema.field(name)
            table = table.set_column(place, field, pa.array(values, field.type, from_pandas=True))
        return replace(self, source=table)

    def _column(self, name: str) -> pa.ChunkedArray:
        return self._read([name])[name]

    def _read(self, names: list[str]) -> pa.Table:
        if isinstance(self.source, pa.Table):
            return self.source.select(names)
        # Arrow keeps what it has freed, which of the columns before may be a quarter of a gigabyte.
        pa.default_memory_pool().release_unused()
        try:
            return self.source.read(names)
        except (pa.ArrowException, OSError) as error:
            raise ContractError(f"the catalogue is damaged ({error}). Run `mergerscope catalog` again.") from None


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
        file = pq.ParquetFile(path, pre_buffer=False)  # buffered, the bytes of a column stay until the next is read
        schema = file.schema_arrow
        about = json.loads((schema.metadata or {})[METADATA_KEY])
        vote_columns, target, survey_format = tuple(about["vote_columns"]), about["target"], about["survey_format"]
        flux = _flux(about.get("flux"))
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise ContractError(f"{path} is no catalogue ({error}). Run `mergerscope catalog` again.") from None
    expected = FIXED_COLUMNS | (EBV_COLUMN if flux else {}) | dict.fromkeys(vote_columns, pa.float64())
    wrong = [name for name, kind in expected.items() if schema.get_field_index(name) < 0
             or schema.field(name).type != kind]  # fmt: skip
    if wrong:
        raise ContractError(f"{path}: columns are missing or of a wrong type: {', '.join(wrong)}. "
                            "Run `mergerscope catalog` again.")  # fmt: skip
    return Catalog(file, vote_columns, target, survey_format, flux)


def _flux(about: dict[str, Any] | None) -> FluxSpec | None:
    if about is None:
        return None
    return FluxSpec(tuple(about["bands"]), about["unit"], about["zero_point"])


def _floats(column: pa.ChunkedArray) -> Floats:
    values: Floats = column.to_numpy().astype(np.float64, copy=False)  # nulls become NaN
    return values


def _bools(column: pa.ChunkedArray) -> Bools:
    values: Bools = column.to_numpy().astype(np.bool_, copy=False)
    return values

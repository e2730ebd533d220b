"""Which columns of a table hold ids and vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pyarrow as pa

from mergerscope.errors import ContractError

__all__ = ["Columns", "find_columns"]

ID_NAMES = ("id", "id_str", "iauname", "galaxy_id", "object_id", "objid", "dr7objid", "dr8_id", "name")
"""Looked for in this order."""

FEWEST = 8
"""Numbered columns that are taken for a vector when nobody says so; magnitudes in a few bands are none."""

NUMBERED = re.compile(r"(.*?)(\d+)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns; ``vectors`` is one column of lists, or many of numbers in the order of the vector."""

    id: str
    vectors: tuple[str, ...]
    lists: bool

    @property
    def all(self) -> list[str]:
        """Every one that is read."""
        return [self.id, *self.vectors]


def find_columns(schema: pa.Schema, id_column: str | None, vectors: str | None) -> Columns:
    """Find ids and vectors in a table.

    Args:
        schema: of the table.
        id_column: its name; None takes the first of some usual names.
        vectors: name of a column of lists, or a pattern such as ``feat_*``; None takes the only column of lists, or
            the only family of eight or more numbered columns.

    Raises:
        ContractError: there is none, there are several, or it holds neither ids nor numbers.
    """
    name = id_column or next((name for name in ID_NAMES if name in schema.names), None)
    if name is None or name not in schema.names:
        wanted = f"named {id_column!r}" if id_column else f"of ids ({', '.join(ID_NAMES)})"
        raise ContractError(f"there is no column {wanted}: the columns are {_few(schema.names)}. Name it by "
                            "--id-column.")
    kind = schema.field(name).type
    if pa.types.is_dictionary(kind):  # of pandas' categories
        kind = kind.value_type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise ContractError(f"column {name!r} holds {kind}: ids are text or whole numbers. Name another by "
                            "--id-column.")
    if vectors is None:
        return Columns(name, *_only(schema, name))
    if vectors in schema.names and _is_list(schema.field(vectors).type):
        return Columns(name, (vectors,), True)
    found = [one for one in schema.names if fnmatchcase(one, vectors) and one != name]
    wrong = [one for one in found if not _is_number(schema.field(one).type)]
    if not found or wrong:
        what = f"{wrong[0]!r} holds {schema.field(wrong[0]).type}" if wrong else "no column has such a name"
        raise ContractError(f"--vectors {vectors}: {what}. The columns are {_few(schema.names)}.")
    return Columns(name, tuple(sorted(found, key=_natural)), False)


def _only(schema: pa.Schema, id_name: str) -> tuple[tuple[str, ...], bool]:
    found: list[tuple[tuple[str, ...], bool]] = [
        ((name,), True) for name in schema.names if _is_list(schema.field(name).type)
    ]
    families: dict[str, list[str]] = {}
    for name in schema.names:
        match = NUMBERED.fullmatch(name)
        if match and name != id_name and _is_number(schema.field(name).type):
            families.setdefault(match[1], []).append(name)
    found += [(tuple(sorted(names, key=_natural)), False) for names in families.values() if len(names) >= FEWEST]
    if len(found) != 1:
        listed = "; ".join(names[0] if lists else f"{names[0]} ... {names[-1]}" for names, lists in found)
        what = f"several columns could be the vectors: {listed}" if found else (
            f"there is neither a column of lists of numbers nor {FEWEST} numbered columns: {_few(schema.names)}"
        )
        raise ContractError(f"{what}. Name them by --vectors, as in --vectors 'feat_*'.")
    return found[0]


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _is_list(kind: pa.DataType) -> bool:
    nested = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(nested and _is_number(kind.value_type))


def _natural(name: str) -> list[tuple[int, str]]:
    """So that feat_10 comes behind feat_9."""
    return [(int(part), "") if part.isdecimal() and part.isascii() else (0, part) for part in re.split(r"(\d+)", name)]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (f", ... ({len(names)} in all)" if len(names) > 12 else "")

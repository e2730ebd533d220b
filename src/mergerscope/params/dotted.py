"""Single parameters by their dotted names, such as ``objective.pairs.weight``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from mergerscope.params.read import parse_params
from mergerscope.params.tree import Params

__all__ = ["names", "value_at", "with_values"]


def names(params: Params) -> list[str]:
    """Return the dotted name of every parameter, in the order of ``params.yaml``."""
    return [name for name, _ in _leaves(params, "")]


def value_at(params: Params, name: str) -> Any:
    """Return the value of a parameter.

    Raises:
        KeyError: there is no parameter of that name.
    """
    return dict(_leaves(params, ""))[name]


def with_values(params: Params, values: Mapping[str, Any], source: str = "params.yaml") -> Params:
    """Return the parameters with some of them changed, checked as if all were read from a file.

    Args:
        params: not changed itself.
        values: new values by dotted name.
        source: where the values come from, for messages.

    Raises:
        KeyError: there is no parameter of that name.
        ParameterError: a value has a wrong type or range, or does not go with the others.
    """
    tree = params.model_dump(by_alias=True)
    for name, value in values.items():
        *path, last = name.split(".")
        block = tree
        for part in path:
            block = block[part]
        if last not in block:
            raise KeyError(name)
        block[last] = value
    return parse_params(tree, source)


def _leaves(block: BaseModel, prefix: str) -> Iterator[tuple[str, Any]]:
    for field, info in type(block).model_fields.items():
        name, value = f"{prefix}{info.alias or field}", getattr(block, field)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value

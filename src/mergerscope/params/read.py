"""From params.yaml, or a mapping like it, to checked objects: every mistake is told by its place in the file."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mergerscope.errors import ParameterError
from mergerscope.params.tree import Params

__all__ = ["load_params", "parse_params"]


def load_params(path: Path) -> Params:
    """Read and check ``params.yaml``; a block or field that is left out takes its default.

    Raises:
        ParameterError: the file is missing, is no YAML mapping, or a value has a wrong name, type or range.
    """
    try:
        # ruamel reads YAML 1.2 as DVC does: 1e-3 is a number and off is a word, unlike in PyYAML.
        tree = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParameterError(f"{path} is missing: run mergerscope inside a project, or pass --params.") from None
    except YAMLError as error:
        raise ParameterError(f"{path} is no valid YAML: {error}") from None
    return parse_params(tree if tree is not None else {}, source=path.name)


def parse_params(tree: Any, source: str = "params.yaml") -> Params:
    """Check a plain nested mapping, as read from YAML, and return it typed.

    Raises:
        ParameterError: every wrong entry by its dotted path, with what was got and, for an unknown name,
            the nearest known one.
    """
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        lines = [f"{source}: {_explain(problem)}" for problem in error.errors()]
        raise ParameterError("\n".join(lines)) from None


def _explain(problem: Any) -> str:
    path = [str(part) for part in problem["loc"]]
    dotted = ".".join(path) or "the file"
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], _names_in(path[:-1]), n=1, cutoff=0.5)
        hint = f"did you mean `{'.'.join([*path[:-1], near[0]])}`?" if near else (
            f"known here: {', '.join(_names_in(path[:-1]))}."
        )
        return f"`{dotted}` is no parameter; {hint}"
    reason = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"`{dotted}` {reason}; got {problem['input']!r}."


def _names_in(path: list[str]) -> list[str]:
    block: Any = Params
    for part in path:
        if get_origin(block) is dict:
            block = get_args(block)[1]
        else:
            block = {field.alias or name: field.annotation for name, field in block.model_fields.items()}[part]
    return [field.alias or name for name, field in block.model_fields.items()]

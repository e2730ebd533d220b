"""`mergerscope params`: every setting with its value, default, range and meaning, read from the typed blocks."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mergerscope.errors import ParameterError
from mergerscope.params import Params, load_params

__all__ = ["Setting", "explain", "settings"]

KINDS = {"bool": "true | false", "str": "text"}
BOUNDS = {"gt": "> ", "ge": ">= ", "lt": "< ", "le": "<= "}


class Setting(BaseModel):
    """One field of ``params.yaml`` in words."""

    path: str
    value: str
    default: str
    allowed: str
    meaning: str

    @property
    def block(self) -> str:
        """The top-level block it stands in."""
        return self.path.split(".")[0]


def settings(params: Params) -> list[Setting]:
    """Return every leaf of the settings, in the order of ``params.yaml``."""
    return list(_leaves(params, Params(), ""))


def explain(params_file: Path, part: str | None) -> None:
    """Print a table for each block, or for ``part`` alone: a block, or a setting such as ``views.strength``.

    Raises:
        ParameterError: there is no such part, or the file is wrong.
    """
    every = settings(load_params(params_file))
    if part is not None:
        asked = [setting for setting in every if f"{setting.path}.".startswith(f"{part}.")]
        if not asked:
            raise ParameterError(_unknown(part, every))
        every = asked
    console = Console()
    for name in dict.fromkeys(setting.block for setting in every):
        table = Table(
            title=name, title_justify="left", title_style="bold", header_style="dim", expand=True, box=SIMPLE_HEAD
        )
        table.add_column("setting", no_wrap=True)
        for heading, ratio in (("value", 2), ("allowed", 3), ("meaning", 7)):
            table.add_column(heading, ratio=ratio, overflow="fold")
        for setting in every:
            if setting.block == name:
                changed = setting.value != setting.default
                value = f"{setting.value} (default {setting.default})" if changed else setting.value
                row = (setting.path.removeprefix(f"{name}."), value, setting.allowed, setting.meaning)
                # Text, or rich would read [0.5, 1.1] as markup
                table.add_row(*map(Text, row), style="bold yellow" if changed else "")
        console.print(table)


def _unknown(part: str, every: list[Setting]) -> str:
    blocks = list(dict.fromkeys(setting.block for setting in every))
    # a name that is asked for alone may be that of a setting within a block
    within = [setting.path for setting in every if setting.path.split(".")[-1] == part]
    near = within or get_close_matches(part, [*blocks, *(setting.path for setting in every)], n=1)
    hint = f"did you mean `{'` or `'.join(near)}`?" if near else f"the blocks are {', '.join(blocks)}."
    return f"`{part}` is no block or setting of params.yaml; {hint}"


def _leaves(block: BaseModel, default: BaseModel, prefix: str) -> list[Setting]:
    found = []
    for name, field in type(block).model_fields.items():
        path = f"{prefix}{field.alias or name}"
        value, usual = getattr(block, name), getattr(default, name)
        if isinstance(value, BaseModel):
            found += _leaves(value, usual, f"{path}.")
            continue
        found.append(
            Setting(
                path=path,
                value=_shown(value),
                default=_shown(usual),
                allowed=_allowed(field),
                meaning=field.description or "",
            )
        )
    return found


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_shown(entry)}" for name, entry in value.items())
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if value == "":
        return '""'
    return f"[{', '.join(map(_shown, value))}]" if isinstance(value, tuple) else str(value)


def _allowed(field: FieldInfo) -> str:
    kind: Any = field.annotation
    if get_origin(kind) is Literal:
        return " | ".join(map(str, get_args(kind)))
    if get_origin(kind) is dict:
        return "a parameter: {type: float | int, low, high, log, step}, or {type: categorical, choices}"
    if get_origin(kind) is tuple:
        if Ellipsis in get_args(kind):
            return "a list of names" if str in get_args(kind) else "a list of numbers above 0"
        return "[low, high], 0 < low <= high"
    parts = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    kind = next(part for part in parts if part is not type(None))
    limits = [f"{BOUNDS[name]}{limit:g}" for rule in field.metadata for name, limit in _limits(rule)]
    name = KINDS.get(kind.__name__, kind.__name__)
    return f"{name} {', '.join(limits)}".strip() + " or null" * (type(None) in parts)


def _limits(rule: object) -> list[tuple[str, float]]:
    """The bounds inside one piece of a field's metadata: an annotated-types rule such as ``Gt(0)``."""
    return [(name, getattr(rule, name)) for name in BOUNDS if getattr(rule, name, None) is not None]

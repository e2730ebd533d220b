"""Put the best values of a sweep into params.yaml, and leave every other character of it as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mergerscope.errors import ContractError, ParameterError, SweepError
from mergerscope.files import write_text
from mergerscope.params import Params, load_params, parse_params, value_at, with_values
from mergerscope.paths import Paths
from mergerscope.sweep.edit import replaced
from mergerscope.sweep.outcome import BEST_FILE

__all__ = ["Change", "apply"]


@dataclass(frozen=True, slots=True)
class Change:
    """One value of params.yaml that is now another."""

    name: str
    """Dotted."""
    before: Any
    after: Any


def apply(paths: Paths, name: str, params_file: Path | None = None) -> list[Change]:
    """Write the values of ``sweeps/<name>/best.yaml`` into params.yaml, and return what that changed.

    The new text is checked before it replaces the old one in one step: on any error the file is as before. Comments,
    order and spelling of everything else stay; a parameter that the file leaves to its default is added to its block.

    Args:
        paths: Of the project.
        name: Of the sweep.
        params_file: Settings to use instead of the project's params.yaml.

    Raises:
        SweepError: there is no such sweep, or none of its trials is complete.
        ParameterError: a value is not allowed, or params.yaml cannot be edited in place.
        ContractError: ``best.yaml`` is not what a sweep writes.
    """
    # Of a link, what it points to is edited.
    file = (params_file or paths.params).resolve()
    best = _best_values(paths.sweeps / name / BEST_FILE, name)
    before = load_params(file)
    wanted = _with(before, best, f"{file.name} with the values of sweeps/{name}/{BEST_FILE}")
    text = file.read_bytes().decode("utf-8")
    fresh = text
    for parameter, value in best.items():
        fresh = replaced(fresh, parameter.split("."), value)
    _check(fresh, wanted, file)
    if fresh != text:
        write_text(file, fresh)
    values = [(parameter, value_at(before, parameter), value_at(wanted, parameter)) for parameter in best]
    return [Change(*value) for value in values if value[1] != value[2]]


def _best_values(path: Path, name: str) -> dict[str, Any]:
    if not path.parent.is_dir():
        known = sorted(folder.name for folder in path.parent.parent.glob("*") if folder.is_dir())
        there = f"The sweeps here are: {', '.join(known)}." if known else "There is none here yet."
        raise SweepError(f"There is no sweep named {name}: {path.parent} is missing. {there}")
    if not path.is_file():
        raise SweepError(
            f"The sweep {name} has no best trial: {path} is missing, because no trial was completed, or because the "
            f"sweep was ended before it wrote that. Go on with `mergerscope sweep --study {name} --resume`, and more "
            "--trials where all are over."
        )
    try:
        tree = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ContractError(f"{path} is no valid YAML: {error}") from None
    if not isinstance(tree, dict) or not tree or not all(isinstance(key, str) for key in tree):
        raise ContractError(f"{path} should hold dotted names with values, got {tree!r}.")
    return tree


def _with(params: Params, values: Mapping[str, Any], source: str) -> Params:
    try:
        return with_values(params, values, source)
    except KeyError as error:
        raise ContractError(f"{source}: `{error.args[0]}` is no parameter.") from None


def _check(text: str, wanted: Params, file: Path) -> None:
    """Where a value is shared by an anchor, to set one sets another, or leaves it without its value."""
    try:
        if parse_params(YAML(typ="safe", pure=True).load(text)) == wanted:
            return
    except (YAMLError, ParameterError):
        pass
    raise ParameterError(
        f"{file} is written in a way that cannot be edited in place, perhaps with an anchor (&) at one of the values. "
        "Copy the values of best.yaml into it by hand."
    )

"""Change one value of a YAML text in its place, so that nothing else of it changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import CollectionNode, MappingNode

from mergerscope.errors import ParameterError
from mergerscope.sweep.yaml_text import as_yaml

__all__ = ["replaced"]


def replaced(text: str, path: Sequence[str], value: Any) -> str:
    """Return the text with another value at a path of keys.

    A comment behind the value keeps its column if there is room. A key that is missing is added at the end of its
    block, and a block that is missing at the end of the text.

    Raises:
        ParameterError: a part of the path is no mapping.
    """
    root = YAML(typ="rt", pure=True).compose(text)
    if root is None:
        return _end(text) + _block(path, value, 0, _newline(text))
    node: Any = root
    name: Any = None
    for depth, key in enumerate(path):
        if not isinstance(node, MappingNode):
            raise ParameterError(f"`{'.'.join(path[:depth])}` in params.yaml should hold named values, and does not.")
        found = [pair for pair in node.value if pair[0].value == key]
        if not found:
            return _added(text, node, path[depth:], value, depth)
        name, node = found[0]
    return _spliced(text, name, node, as_yaml(value))


def _spliced(text: str, name: Any, node: Any, fresh: str) -> str:
    start, end = node.start_mark.index, _end_of(node)
    if isinstance(node, CollectionNode) and not node.flow_style:
        # A list of a line an item: what takes its place stands behind the key.
        return f"{text[: name.end_mark.index]}: {fresh}{text[end:]}"
    if start == end:  # an empty value: `key:` with nothing behind it
        return f"{text[:start].rstrip(' ')} {fresh}{text[end:]}"
    rest = text[end:]
    gap = len(rest) - len(rest.lstrip(" "))
    if gap and rest.lstrip(" ").startswith("#"):
        rest = " " * max(1, gap - (len(fresh) - (end - start))) + rest[gap:]
    return text[:start] + fresh + rest


def _added(text: str, node: MappingNode, path: Sequence[str], value: Any, depth: int) -> str:
    newline = _newline(text)
    if node.flow_style:
        inner = as_yaml(value)
        for part in reversed(path[1:]):
            inner = f"{{{part}: {inner}}}"
        before = text[: node.end_mark.index - 1].rstrip()
        comma = ", " if node.value else ""
        return f"{before}{comma}{path[0]}: {inner}{text[node.end_mark.index - 1 :]}"
    if depth == 0:
        return _end(text) + _block(path, value, 0, newline)
    end = text.find("\n", _end_of(node))
    at = len(text) if end < 0 else end + 1
    return _end(text[:at]) + _block(path, value, node.start_mark.column, newline) + text[at:]


def _end_of(node: Any) -> int:
    """Where a node ends; the mark of a block is where the next one begins, behind blank lines and comments."""
    while isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, MappingNode) else last
    return int(node.end_mark.index)


def _block(path: Sequence[str], value: Any, indent: int, newline: str) -> str:
    lines = [f"{' ' * (indent + 2 * depth)}{key}:" for depth, key in enumerate(path)]
    lines[-1] += f" {as_yaml(value)}"
    return newline.join(lines) + newline


def _end(text: str) -> str:
    return text if not text or text.endswith("\n") else text + _newline(text)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"

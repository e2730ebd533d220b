"""A value as it stands in params.yaml, on one line."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML

__all__ = ["as_yaml"]


def as_yaml(value: Any) -> str:
    """Return a finite number, word, truth value, None or list of these as YAML that is read back as the same."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_yaml, value))}]"
    if isinstance(value, float):
        text = repr(value)
        # A reader of YAML 1.1 takes 1e-05 for a word.
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.width = 1 << 20
    yaml.default_flow_style = True
    yaml.dump([value], stream)
    text = stream.getvalue().strip()[1:-1]
    # ruamel writes ['?0'] as [?0], and reads a mapping back.
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) and text.startswith("?") else text

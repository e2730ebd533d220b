"""Counts as a reader sees them."""

from __future__ import annotations

__all__ = ["count", "plural"]


def count(value: int) -> str:
    """``61578`` as ``61,578``."""
    return f"{value:,}"


def plural(value: int, one: str, many: str | None = None) -> str:
    """``1 merger``, ``2 mergers``."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"

"""Files and folders that are whole or not there, whenever the program is killed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

__all__ = ["NEW", "put_folder", "replacing", "write_bytes", "write_text"]

NEW = ".new"
"""Ending of what is not whole yet."""


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Yield the name under which to write a file; when the block ends well, it takes the name ``path``.

    A kill leaves the old file or the new one and nothing between.

    Args:
        path: of the file; its folder is made where it is missing.
        shared: whether several processes may write it at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{uuid4().hex}{NEW}" if shared else path.name + NEW)
    try:
        yield fresh
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    fresh.replace(path)


def write_bytes(path: Path, data: bytes, *, shared: bool = False) -> None:
    """Write a file, whole or not at all; see `replacing`."""
    with replacing(path, shared=shared) as fresh:
        fresh.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a file of UTF-8 text, line ends as they are, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def put_folder(fresh: Path, place: Path) -> None:
    """Put a finished folder where another may stand, on the same file system.

    A kill leaves the old folder or the new one in its place. Just between the two renames it leaves neither: the new
    folder keeps its first name then, and the old one lies beside it as ``.old`` until the next call.
    """
    old = fresh.with_name(f"{fresh.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        place.replace(old)
    fresh.replace(place)
    shutil.rmtree(old, ignore_errors=True)

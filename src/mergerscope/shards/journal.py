"""Which shards of an interrupted run are finished, so that the next run goes on from there.

A line of ``journal.jsonl`` is written after its shard is complete under its final name. A shard is taken over only
when its key, a digest of everything that it is made from, is the wanted one and its bytes still have their digest.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from mergerscope.survey.records import Refusal

__all__ = ["Finished", "Journal"]


@dataclass(frozen=True, slots=True)
class Finished:
    """A shard that is complete. Where every row was refused there is no file, and ``count`` is 0."""

    name: str
    key: str
    """Digest of the rows and parameters that made it."""
    count: int
    sha256: str
    refused: tuple[Refusal, ...]
    sides: tuple[tuple[float, float, int], ...] = ()
    """Sides of pixels on the sky, see `sampling.Sides`, and how many galaxies have them."""


class Journal:
    """The finished shards of one folder."""

    def __init__(self, path: Path, folder: Path) -> None:
        """Read ``path`` if it is there; the shards lie in ``folder``."""
        self.path = path
        self.folder = folder
        self._finished = {entry.name: entry for entry in _read(path)}

    def find(self, name: str, key: str) -> Finished | None:
        """Return the shard ``name`` if it was finished from the same rows and parameters and is still whole."""
        entry = self._finished.get(name)
        if entry is None or entry.key != key:
            return None
        return entry if entry.count == 0 or _sha256(self.folder / name) == entry.sha256 else None

    def add(self, entry: Finished) -> None:
        """Write down, to the disk itself, that a shard is finished."""
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(entry)) + "\n")
            lines.flush()
            os.fsync(lines.fileno())
        self._finished[entry.name] = entry


def _read(path: Path) -> list[Finished]:
    if not path.is_file():
        return []
    entries = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            tree = json.loads(line)
            refused = tuple(Refusal(**refusal) for refusal in tree.pop("refused"))
            sides = tuple((pixel, flux_pixel, count) for pixel, flux_pixel, count in tree.pop("sides"))
            entries.append(Finished(**tree, refused=refused, sides=sides))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue  # the line that a kill cut short: its shard is made again
    return entries


def _sha256(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

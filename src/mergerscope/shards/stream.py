"""What flows through the loader: shards, the part of them that is one device's, and samples out of several at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import webdataset as wds

from mergerscope.shards.sample import IMAGE_SUFFIX

__all__ = ["Interleave", "Sample", "Share", "Wanted"]

Sample = dict[str, Any]

OPEN_SHARDS = 16
"""Shards that a process draws from at once."""


@dataclass(frozen=True, slots=True)
class Share:
    """One of several equal parts of a stream of shards, with the first and last galaxy of each that are in it."""

    counts: dict[str, int]
    """Galaxies by the path of the shard."""
    part: int
    parts: int

    @property
    def bounds(self) -> tuple[int, int]:
        """The part, in galaxies from the beginning of the stream."""
        total = sum(self.counts.values())
        return total * self.part // self.parts, total * (self.part + 1) // self.parts

    @property
    def galaxies(self) -> int:
        """In the part; those of any two parts differ by one at most."""
        first, last = self.bounds
        return last - first

    def __call__(self, shards: Iterator[Sample]) -> Iterator[Sample]:
        """Pass on the shards of the part, each with its ``start`` and ``stop``."""
        first, last = self.bounds
        at = 0
        for shard in shards:
            count = self.counts[shard["url"]]
            start, stop = max(first - at, 0), min(last - at, count)
            if start < stop:
                # To its end where the part goes so far: a shard that holds more than the manifest says is noticed.
                yield {**shard, "start": start, "stop": stop if stop < count else None}
            at += count


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whether a member of a tar is read."""

    keep: frozenset[str] | None

    def __call__(self, name: str) -> bool:
        """Tell by the member's name."""
        return name.endswith(IMAGE_SUFFIX) and (self.keep is None or name.removesuffix(IMAGE_SUFFIX) in self.keep)


@dataclass(frozen=True, slots=True)
class Interleave:
    """Samples of a stream of shards, each drawn from one of several open shards."""

    wanted: Wanted
    seed: int

    def __call__(self, shards: Iterator[Sample]) -> Iterator[Sample]:
        """Open shards and draw, as long as there are any."""
        rng = random.Random(self.seed)
        is_open: list[Iterator[Sample]] = []
        while True:
            while len(is_open) < OPEN_SHARDS and (shard := next(shards, None)) is not None:
                is_open.append(islice(_samples(shard["url"], self.wanted), shard["start"], shard["stop"]))
            if not is_open:
                return
            chosen = rng.randrange(len(is_open))
            sample = next(is_open[chosen], None)
            if sample is None:
                del is_open[chosen]
            else:
                yield sample


def _samples(path: str, wanted: Wanted) -> Iterator[Sample]:
    # webdataset's own opener never closes what it opens, and would run a path that begins with "pipe:".
    with Path(path).open("rb") as stream:
        members = wds.tariterators.tar_file_expander([{"url": path, "stream": stream}], select_files=wanted)
        yield from wds.tariterators.group_by_keys(members)

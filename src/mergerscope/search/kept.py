"""Scores of finished blocks on disk, so that a ranking of millions that was killed goes on where it was.

`kept_scores` names a folder by everything that scores are made from: ranker, settings, references, twins, the files of
the embeddings, the code of this room and the libraries. Inside the block, `mergerscope.search.stream.score_blocks`
writes each span of scores there with a checksum, and takes those that are there whole; the moments of the survey,
which take a pass of their own, are kept when it has ended.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch

from mergerscope.files import replacing
from mergerscope.params import RankParams

__all__ = ["KeptSpans", "kept_arrays", "kept_scores", "next_kept"]

Array = np.ndarray[Any, Any]

CHECK = np.dtype(np.uint32)
SCORE = np.dtype(np.float32)


class KeptSpans:
    """The scores of one pass over N rows, in spans of ``span`` rows."""

    def __init__(self, path: Path, size: int, span: int) -> None:
        """Open ``path``, or make it; it holds N scores, and behind them a checksum for each span that is there."""
        self._span = span
        self._size = size
        count = -(-size // span)
        total = size * SCORE.itemsize + count * CHECK.itemsize
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if os.fstat(self._file).st_size != total:
            os.ftruncate(self._file, 0)
            os.ftruncate(self._file, total)  # all checksums are 0: no span is there
        self._checks = np.frombuffer(os.pread(self._file, count * CHECK.itemsize, size * SCORE.itemsize), CHECK)

    def take(self, start: int, into: Array) -> bool:
        """Read the span from row ``start`` on, if it is there whole."""
        wanted = int(self._checks[start // self._span])
        if wanted == 0:
            return False
        os.preadv(self._file, [into.data.cast("B")], start * SCORE.itemsize)
        return _check(into) == wanted

    def keep(self, start: int, scores: Array) -> None:
        """Write the span from row ``start`` on; its checksum tells a power cut in between from a whole one."""
        os.pwrite(self._file, scores.data.cast("B"), start * SCORE.itemsize)
        place = self._size * SCORE.itemsize + start // self._span * CHECK.itemsize
        os.pwrite(self._file, np.array(_check(scores), CHECK).tobytes(), place)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class _Place:
    """One ranking's folder; its passes are numbered in the order in which they begin, which is always the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._passes = 0

    def next(self, size: int, span: int) -> KeptSpans:
        self._passes += 1
        return KeptSpans(self._folder / f"pass-{self._passes}.scores", size, span)

    def arrays(self, name: str, make: Callable[[], Mapping[str, Array]]) -> Mapping[str, Array]:
        path = self._folder / f"{name}.npz"
        try:
            with np.load(path, allow_pickle=False) as there:
                return dict(there)
        except (OSError, ValueError, zipfile.BadZipFile):  # not there, or torn by a power cut
            made = make()
        with replacing(path) as fresh, fresh.open("wb") as file:
            np.savez(file, allow_pickle=False, **made)
        return made


_place: ContextVar[_Place | None] = ContextVar("place", default=None)


@contextmanager
def kept_scores(
    scratch: Path, embeddings: Path, ranker: str, references: Any, twins: Any, settings: RankParams
) -> Iterator[None]:
    """Keep what is scored inside the block, and go on with what was kept; remove it when the block ends well.

    Args:
        scratch: folder for resume points of rankings; those made from anything else are removed.
        embeddings: folder of the store.
        ranker: name of the ranker that is used inside.
        references: (M,) row numbers.
        twins: row numbers, see `mergerscope.search.rankers.score`.
        settings: the `rank` block.
    """
    made_from = {
        "ranker": ranker, "settings": settings.model_dump(mode="json", exclude={"engine"}),
        "references": _digest(references), "twins": _digest(twins), "embeddings": _state(embeddings), "code": _code(),
        "libraries": [np.__version__, scipy.__version__, torch.__version__],
    }  # fmt: skip
    folder = scratch / hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]
    if scratch.is_dir():
        for other in scratch.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    token = _place.set(_Place(folder))
    try:
        yield
    finally:
        _place.reset(token)
    shutil.rmtree(folder, ignore_errors=True)  # an equal ranking at the same time may have been quicker


def next_kept(size: int, span: int) -> KeptSpans | None:
    """Return where the next pass over ``size`` rows keeps its scores; None outside of `kept_scores`."""
    place = _place.get()
    return None if place is None else place.next(size, span)


def kept_arrays(name: str, make: Callable[[], Mapping[str, Array]]) -> Mapping[str, Array]:
    """Return what ``make`` returns, from disk where it is kept; outside of `kept_scores` it is made each time."""
    place = _place.get()
    return make() if place is None else place.arrays(name, make)


def _check(scores: Array) -> int:
    # 0 stands for a span that is not there.
    return zlib.crc32(scores.data.cast("B")) or 1


def _digest(rows: Any) -> str:
    return hashlib.sha256(np.asarray(rows, dtype=np.int64).tobytes()).hexdigest()


def _state(folder: Path) -> list[tuple[str, int, int, int]]:
    """Name, size, time of the last change, and number of each file: to read them all would cost as much as to rank."""
    found = []
    for path in sorted(folder.iterdir()):
        state = path.stat()
        found.append((path.name, state.st_size, state.st_mtime_ns, state.st_ino))
    return found


def _code() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()

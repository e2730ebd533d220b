"""A digest of each image's pixels, by which the same picture under two ids is found."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from mergerscope.progress import progress
from mergerscope.survey.decode import Pixels, decode_rgb
from mergerscope.survey.images import ImageStore
from mergerscope.survey.records import ImageRefusedError

__all__ = ["each_image", "pixel_digest", "pixel_digests", "why_refused", "worker_count"]

Seen = TypeVar("Seen")

CHUNK = 64
INLINE = 512
"""Up to so many images, starting processes takes longer than decoding."""

_store: ImageStore | None = None  # of a worker process, opened once: listing a big zip takes a second


def worker_count(requested: int) -> int:
    """Return the number of processes for ``shard.workers``: 0 means one a core that this process may use."""
    if requested:
        return requested
    # A container or batch system often grants fewer cores than the machine has; macOS cannot say.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pixel_digest(pixels: Pixels) -> str:
    """Return 32 hex digits that are equal for equal (H, W, 3) pixels."""
    # SHA-256 has instructions of its own on today's processors: twice as fast as BLAKE2 there.
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()[:32]


def pixel_digests(root: Path, images: Sequence[str], workers: int = 0) -> list[str | None]:
    """Decode every image and return its digest, in order; None where it cannot be decoded.

    Args:
        root: of the survey.
        images: references, as `ImageStore.read` takes them.
        workers: processes; 0 means one a core.
    """
    return each_image(root, images, _digest_chunk, workers)


def each_image(
    root: Path,
    images: Sequence[str],
    look: Callable[[ImageStore, Sequence[str]], list[Seen]],
    workers: int = 0,
    *,
    at_once: int | None = None,
) -> list[Seen]:
    """Return what ``look`` makes of every image, in order.

    Args:
        root: of the survey.
        images: references.
        look: from a store and some of the references to one thing each; must be picklable.
        workers: processes; 0 means one a core.
        at_once: images that ``look`` is given in one call.
    """
    size = at_once or CHUNK
    chunks = [images[start : start + size] for start in range(0, len(images), size)]
    workers = min(worker_count(workers), len(chunks))
    seen: list[Seen] = []
    with progress("catalog: reading images", total=len(images), unit="images") as advance:
        if workers <= 1 or len(images) <= INLINE:
            with ImageStore.open(root) as store:
                for chunk in chunks:
                    seen += look(store, chunk)
                    advance(len(chunk))
            return seen
        # spawn: the progress bar and Arrow have threads, and a fork of a process with threads may hang.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(root,)) as pool:
            for found in pool.map(partial(_look_in_worker, look), chunks):
                seen += found
                advance(len(found))
    return seen


def why_refused(root: Path, image: str) -> ImageRefusedError:
    """Return the reason for which an image had no digest.

    Raises:
        ValueError: it can be decoded.
    """
    with ImageStore.open(root) as store:
        try:
            decode_rgb(store.read(image))
        except ImageRefusedError as error:
            return error
    raise ValueError(f"{image} can be decoded")


def _start_worker(root: Path) -> None:
    global _store
    _store = ImageStore.open(root)


def _look_in_worker(
    look: Callable[[ImageStore, Sequence[str]], list[Seen]], images: Sequence[str]
) -> list[Seen]:
    assert _store is not None
    return look(_store, images)


def _digest_chunk(store: ImageStore, images: Sequence[str]) -> list[str | None]:
    return [_digest(store, image) for image in images]


def _digest(store: ImageStore, image: str) -> str | None:
    try:
        return pixel_digest(decode_rgb(store.read(image)))
    except ImageRefusedError:
        return None

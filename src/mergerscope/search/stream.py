"""One function over all blocks of a store, on a few threads, with results that do not depend on their number."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from mergerscope.cluster import Cluster
from mergerscope.search.kept import next_kept
from mergerscope.search.store import BlockBuffer, EmbeddingStore, block_rows

__all__ = ["map_blocks", "on_cluster", "score_blocks", "sum_blocks"]

Array = np.ndarray[Any, Any]
Blocks = Iterator[tuple[int, torch.Tensor]]
Result = TypeVar("Result")

THREADS = min(4, os.cpu_count() or 1)

SPAN = 16
"""Blocks that a thread, or a worker of a cluster, works through before it asks for more: asking a thread takes as long
as a fifth of a block, and a worker as long as a block."""

_cluster: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    # One block fits one core's cache, so the blocks are shared out and not the arithmetic inside one: torch's own
    # threads would wait for each other several times a block. Its setting is by thread, but new threads copy the
    # last value set anywhere, hence the reset.
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(THREADS, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def map_blocks(
    store: EmbeddingStore, function: Callable[[int, torch.Tensor], Result], rows: int | None = None
) -> Iterator[Result]:
    """Yield ``function(start, block)`` for every block, in order; ``block`` is float32 (b, D).

    ``function`` runs on several threads at once and must keep nothing of ``block``, whose memory is used again.
    At most a few results wait to be taken, so memory stays bounded. ``rows`` sets another block size than the one
    that fits a core's cache.
    """
    step = rows or block_rows(store.dim)

    def work(start: int, buffer: BlockBuffer) -> Result:
        return function(start, store.read(start, min(store.size, start + step), buffer))

    yield from _in_order(store, range(0, store.size, step), work, step)


def score_blocks(store: EmbeddingStore, score: Callable[[int, torch.Tensor], torch.Tensor]) -> Array:
    """Return ``score(start, block)``, one number a row, for all rows: float32 (N,).

    Inside `mergerscope.search.kept.kept_scores`, scores that are there from a run that was killed are taken, and the
    others are kept; inside `on_cluster`, other machines take part.
    """
    out = np.empty(store.size, np.float32)
    step = block_rows(store.dim)
    span = SPAN * step
    kept = next_kept(store.size, span)

    def scored(blocks: Blocks) -> Array:
        return np.concatenate([score(start, block).numpy() for start, block in blocks])

    with closing(kept) if kept is not None else nullcontext():
        starts = range(0, store.size, span)
        todo = [start for start in starts if kept is None or not kept.take(start, out[start : start + span])]
        with closing(_by_span(store, scored, todo, step)) as found:
            for start, scores in zip(todo, found, strict=True):
                out[start : start + span] = scores
                if kept is not None:
                    kept.keep(start, scores)
    return out


def sum_blocks(
    store: EmbeddingStore, function: Callable[[int, torch.Tensor], Sequence[torch.Tensor]], rows: int
) -> list[Array]:
    """Return the sums, over all blocks of ``rows`` rows, of the tensors ``function(start, block)``, in float64.

    They are added up span by span, and the spans in order, so that each bit is the same on any number of threads and,
    inside `on_cluster`, machines.
    """

    def added(blocks: Blocks) -> list[Array]:
        sums: list[torch.Tensor] = []
        for start, block in blocks:
            parts = function(start, block)
            sums = [a.add_(b) for a, b in zip(sums, parts, strict=True)] if sums else [b.double() for b in parts]
        return [each.numpy() for each in sums]

    with closing(_by_span(store, added, range(0, store.size, SPAN * rows), rows)) as found:
        total = [each.copy() for each in next(found)]
        for sums in found:
            for whole, part in zip(total, sums, strict=True):
                whole += part
    return total


@contextmanager
def on_cluster(cluster: Cluster | None) -> Iterator[None]:
    """Share `score_blocks` and `sum_blocks` over stores that lie on disk out to ``cluster``; None changes nothing."""
    token = _cluster.set(cluster)
    try:
        yield
    finally:
        _cluster.reset(token)


@dataclass(frozen=True, slots=True)
class _Task(Generic[Result]):
    """A function of the blocks of a span, which is given by its first row."""

    store: EmbeddingStore
    size: int
    step: int
    function: Callable[[Blocks], Result]

    def on(self, first: int, buffer: BlockBuffer) -> Result:
        last = min(self.size, first + SPAN * self.step)
        starts = range(first, last, self.step)
        return self.function((start, self.store.read(start, min(last, start + self.step), buffer)) for start in starts)

    def __call__(self, first: int) -> Result:
        """What a worker of a cluster does: it has one core, and memory of its own."""
        torch.set_num_threads(1)
        with torch.inference_mode():
            return self.on(first, self.store.buffer(self.step))


def _by_span(
    store: EmbeddingStore, function: Callable[[Blocks], Result], starts: Sequence[int], step: int
) -> Generator[Result, None, None]:
    """Yield ``function`` of the blocks of ``step`` rows of each span, in order of the ``starts`` of the spans."""
    cluster = _cluster.get()
    if cluster is not None and store.on_disk:
        return cluster.map(_Task(store.bare(), store.size, step, function), starts)
    return _in_order(store, starts, _Task(store, store.size, step, function).on, step)


def _in_order(
    store: EmbeddingStore, starts: Sequence[int], work: Callable[[int, BlockBuffer], Result], rows: int
) -> Generator[Result, None, None]:
    own = threading.local()

    def task(start: int) -> Result:
        if not hasattr(own, "buffer"):
            own.buffer = store.buffer(rows)
        with torch.inference_mode():
            return work(start, own.buffer)

    with _pool() as pool:
        waiting: deque[Future[Result]] = deque()
        for start in starts:
            waiting.append(pool.submit(task, start))
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()

"""One function over all blocks of a store, on a few threads, with results that do not depend on their number."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from typing import Any, TypeVar

import numpy as np
import torch

from mergerscope.search.kept import next_kept
from mergerscope.search.store import BlockBuffer, EmbeddingStore, block_rows

__all__ = ["map_blocks", "score_blocks"]

Result = TypeVar("Result")

THREADS = min(4, os.cpu_count() or 1)

SPAN = 16
"""Blocks that a thread scores before it asks for more: asking takes as long as a fifth of a block."""


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


def score_blocks(store: EmbeddingStore, score: Callable[[int, torch.Tensor], torch.Tensor]) -> np.ndarray[Any, Any]:
    """Return ``score(start, block)``, one number a row, for all rows: float32 (N,).

    Inside `mergerscope.search.kept.kept_scores`, scores that are there from a run that was killed are taken, and the
    others are kept.
    """
    out = np.empty(store.size, np.float32)
    step = block_rows(store.dim)
    span = SPAN * step
    kept = next_kept(store.size, span)

    def work(first: int, buffer: BlockBuffer) -> None:
        last = min(store.size, first + span)
        if kept is not None and kept.take(first, out[first:last]):
            return
        for start in range(first, last, step):
            stop = min(last, start + step)
            out[start:stop] = score(start, store.read(start, stop, buffer)).numpy()
        if kept is not None:
            kept.keep(first, out[first:last])

    # In this order: after an interruption the threads end first, and then the file that they write to is closed.
    with closing(kept) if kept is not None else nullcontext(), \
            closing(_in_order(store, range(0, store.size, span), work, step)) as spans:  # fmt: skip
        for _ in spans:
            pass
    return out


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

"""Worker processes that pack shards, a shard a task, their reports in order."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from threadpoolctl import threadpool_limits

from mergerscope.errors import MergerscopeError
from mergerscope.orphans import clean_context, die_with_parent
from mergerscope.shards.journal import Finished
from mergerscope.shards.pack import Packing, Task, pack_shard
from mergerscope.survey.images import ImageStore

__all__ = ["packed_in_order"]

AHEAD = 3
"""Tasks a worker that are handed out before the first of them is done: bounds the memory."""


def packed_in_order(packing: Packing, tasks: Iterable[Task], workers: int) -> Generator[Finished]:
    """Pack each of ``tasks`` and report on them in the same order.

    Args:
        packing: what to do with every image.
        tasks: a shard each; taken as they are needed.
        workers: processes; 1 packs in this one.

    Raises:
        MergerscopeError: a worker process died.
        SurveyError: the survey, or a zip in it, cannot be opened.
    """
    if workers > 1:
        yield from _in_processes(packing, tasks, workers)
        return
    # BLAS might answer with threads of its own, which for products this small only wait for each other.
    with threadpool_limits(1), ImageStore.open(packing.root) as store:
        for task in tasks:
            yield pack_shard(store, packing, task)


def _in_processes(packing: Packing, tasks: Iterable[Task], workers: int) -> Generator[Finished]:
    executor = ProcessPoolExecutor(workers, clean_context(__name__), initializer=_start, initargs=(packing,))
    waiting: deque[Future[Finished]] = deque()
    try:
        for task in tasks:
            waiting.append(executor.submit(_work, task))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise MergerscopeError(
            "A process that packs images died: killed, perhaps for want of memory. Finished shards are kept: run the "
            "stage again, with a smaller shard.workers in params.yaml if it happens again."
        ) from None
    finally:
        executor.shutdown(cancel_futures=True)


class _Worker:
    """What a worker process keeps between tasks."""

    packing: Packing
    store: ImageStore


def _start(packing: Packing) -> None:
    # Ctrl-C reaches every process of the terminal; the parent alone answers, and ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    threadpool_limits(1)
    _Worker.packing = packing
    _Worker.store = ImageStore(packing.root)


def _work(task: Task) -> Finished:
    return pack_shard(_Worker.store, _Worker.packing, task)

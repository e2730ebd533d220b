"""Worker processes that make galaxies, their results in the order of the tasks."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import TypeVar

from threadpoolctl import threadpool_limits

from mergerscope.errors import MergerscopeError

__all__ = ["in_order"]

Task = TypeVar("Task")
Made = TypeVar("Made")

AHEAD = 3
"""Tasks a worker that are handed out before the first of them is done: bounds the memory."""


def in_order(make: Callable[[Task], Made], tasks: Iterable[Task], workers: int) -> Iterator[Made]:
    """Yield ``make(task)`` for each task, in order.

    Args:
        make: a function of a module, for spawned processes find it by its name.
        tasks: taken as they are needed.
        workers: processes; 1 works in this one.

    Raises:
        MergerscopeError: a worker process died.
    """
    if workers == 1:
        with threadpool_limits(1):
            for task in tasks:
                yield make(task)
        return
    executor = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start)
    waiting: deque[Future[Made]] = deque()
    try:
        for task in tasks:
            waiting.append(executor.submit(make, task))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise MergerscopeError(
            "A process that draws galaxies died: killed, perhaps for want of memory. Run it again with fewer --workers."
        ) from None
    finally:
        executor.shutdown(cancel_futures=True)


def _start() -> None:
    # Ctrl-C reaches every process of the terminal; the parent alone answers, and ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
    os._exit(1)

"""Worker processes: started without what the process that starts them is in the midst of, and ended with it."""

from __future__ import annotations

import os
import threading
from multiprocessing import connection, get_all_start_methods, get_context, parent_process
from multiprocessing.context import BaseContext

__all__ = ["clean_context", "die_with_parent"]


def clean_context(module: str) -> BaseContext:
    """Return the way to start processes that need a module and nothing of this one.

    This process is never forked: its threads (torch's, gloo's, BLAS's) would be missing in the fork, and a lock that
    one of them held would never be given back. Where the system can fork, a small server process imports the module
    once and forks the workers; elsewhere each worker is spawned.
    """
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload([module])
    return context


def die_with_parent() -> None:
    """End this process, which another has started, when that one is gone: a killed stage leaves no workers behind.

    Watches from a thread of its own; does nothing in a process that `multiprocessing` has not started.
    """
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)

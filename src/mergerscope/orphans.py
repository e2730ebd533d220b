"""Worker processes that end with the process that started them."""

from __future__ import annotations

import os
import threading
from multiprocessing import connection, parent_process

__all__ = ["die_with_parent"]


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

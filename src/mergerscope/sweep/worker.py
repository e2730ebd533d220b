"""A worker process: takes a trial, trains it, tells each epoch, and waits to hear whether to go on."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from mergerscope.errors import MergerscopeError
from mergerscope.orphans import die_with_parent
from mergerscope.sweep.task import Ended, Epoch, Failed, Result, Task
from mergerscope.sweep.trial import train

__all__ = ["work"]


class _StopError(Exception):
    """The sweep does not want the rest of the trial."""


def work(line: Connection, log: Path, threads: int) -> None:
    """Train what comes through ``line`` until it is closed.

    Args:
        line: `Task` in; `Epoch`, and at last `Result`, `Failed` or `Ended` out.
        log: what training says goes there: the terminal belongs to the table of the sweep.
        threads: processor cores that are this worker's share.
    """
    # Ctrl-C reaches every process of the terminal, and SIGTERM often every process of a job; the sweep alone answers,
    # and ends its workers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    die_with_parent()
    _say_into(log)
    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        while True:
            try:
                task: Task = line.recv()
            except EOFError:
                return
            line.send(_done(line, task))


def _done(line: Connection, task: Task) -> Result | Failed | Ended:
    def on_epoch(epochs: int, row: dict[str, float]) -> None:
        line.send(Epoch(epochs, row))
        if line.recv() == "stop":
            raise _StopError

    try:
        return train(task, on_epoch)
    except _StopError:
        return Ended()
    except MergerscopeError as error:
        return Failed(str(error), "")
    except Exception as error:
        # Of torch, such as too little memory on the device: the values' fault, or a bug, which the traceback tells.
        return Failed(f"{type(error).__name__}: {error}", traceback.format_exc())


def _say_into(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)

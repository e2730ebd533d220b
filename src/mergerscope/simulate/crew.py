"""Worker processes that make galaxies, their results in the order of the tasks.

Each worker has a pipe of its own, so that one can be ended at any moment: a pool's shared queue hangs its readers when
a process dies while it writes.
"""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Generator, Iterable
from multiprocessing import connection, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from mergerscope.errors import MergerscopeError
from mergerscope.orphans import die_with_parent

__all__ = ["in_order"]

Task = TypeVar("Task")
Made = TypeVar("Made")

AHEAD = 3
"""Tasks a worker that are handed out or done before the first of them is taken: bounds the memory."""


def in_order(make: Callable[[Task], Made], tasks: Iterable[Task], workers: int) -> Generator[Made, None, None]:
    """Yield ``make(task)`` for each task, in order; closing the generator ends the workers at once.

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
    crew: list[tuple[SpawnProcess, Connection]] = []
    try:
        yield from _share_out(make, tasks, workers, crew)
    finally:
        for process, line in crew:
            process.terminate()
            line.close()
        for process, _ in crew:
            process.join()


def _share_out(
    make: Callable[[Task], Made], tasks: Iterable[Task], workers: int, crew: list[tuple[SpawnProcess, Connection]]
) -> Generator[Made, None, None]:
    numbered, turn = enumerate(tasks), 0
    idle: list[Connection] = []
    busy: dict[Connection, int] = {}
    done: dict[int, Made] = {}
    while True:
        while len(busy) < workers and len(busy) + len(done) < AHEAD * workers:
            following = next(numbered, None)
            if following is None:
                break
            if not idle:
                crew.append(_hire(make))
                idle.append(crew[-1][1])
            line = idle.pop()
            _send(line, following[1])
            busy[line] = following[0]
        if turn in done:
            yield done.pop(turn)
            turn += 1
        elif busy:
            ready = connection.wait(list(busy))
            for line in [one for one in busy if one in ready]:
                done[busy.pop(line)] = _receive(line)
                idle.append(line)
        else:
            return


def _send(line: Connection, task: object) -> None:
    try:
        line.send(task)
    except ConnectionError:
        raise _died() from None


def _receive(line: Connection) -> Any:
    try:
        made, error = line.recv()
    except (EOFError, ConnectionError):
        raise _died() from None
    if error is not None:
        raise error
    return made


def _died() -> MergerscopeError:
    return MergerscopeError(
        "A process that draws galaxies died: killed, perhaps for want of memory. Run it again with fewer --workers."
    )


def _hire(make: Callable[[Task], Made]) -> tuple[SpawnProcess, Connection]:
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, make), daemon=True)
    # Ctrl-C reaches every process of the terminal; the parent alone answers, and ends the workers. A process begins
    # with its parent's mask, so it is deaf to the signal while it still imports. The tracker, which a first start would
    # begin, unblocks the signal when it is there.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        there.close()
    return process, here


def _work(line: Connection, make: Callable[[Any], object]) -> None:
    threadpool_limits(1)
    die_with_parent()
    while True:
        try:
            task = line.recv()
        except EOFError:
            return
        try:
            answer = make(task), None
        except Exception as error:
            error.add_note(f"In a worker process:\n{traceback.format_exc()}")
            line.send((None, error))
        else:
            line.send(answer)

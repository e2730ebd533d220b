"""The worker processes of one machine: begun when there is work, and begun again when one dies."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from mergerscope.orphans import clean_context
from mergerscope.sweep.task import Answer, Task

__all__ = ["Crew", "Died"]

WORKER = "mergerscope.sweep.worker"
SAID = 1500
"""Characters of a dead worker's log that are kept."""


@dataclass(frozen=True, slots=True)
class Died:
    """A worker process is gone, and its trial with it."""

    how: str
    said: str = ""
    """The end of its log."""


class Crew:
    """Up to so many workers, each with a pipe of its own and at most one trial, known by the trial's number.

    Args:
        workers: processes.
        threads: of each.
        logs: folder of what they say.
    """

    def __init__(self, workers: int, threads: int, logs: Path) -> None:
        self._workers, self._threads, self._logs = workers, threads, logs
        self._context = clean_context(WORKER)
        self._idle: list[tuple[BaseProcess, Connection]] = []
        self._busy: dict[int, tuple[BaseProcess, Connection]] = {}
        self._begun = 0

    @property
    def free(self) -> bool:
        """Whether another trial can be begun."""
        return len(self._busy) < self._workers

    def begin(self, task: Task) -> None:
        """Hand a trial to a worker. One that has died meanwhile is told by `wait`."""
        worker = self._idle.pop() if self._idle else self._hire()
        self._busy[task.number] = worker
        self._send(worker[1], task)

    def answer(self, trial: int, answer: Answer) -> None:
        """Answer to an epoch of a trial."""
        self._send(self._busy[trial][1], answer)

    def wait(self, seconds: float) -> list[tuple[int, Any]]:
        """Wait for workers to say something, and return it by the trial's number; `Died` where one is gone."""
        lines = {line: number for number, (_, line) in self._busy.items()}
        if not lines:
            time.sleep(seconds)
            return []
        ready = connection.wait([*lines], seconds)
        return [(number, self._heard(number)) for line, number in lines.items() if line in ready]

    def release(self, trial: int) -> None:
        """Take a worker whose trial is over as free for the next."""
        self._idle.append(self._busy.pop(trial))

    def dismiss(self, trial: int) -> None:
        """End the worker of a trial at once; its resume points stay."""
        process, line = self._busy.pop(trial)
        process.kill()
        process.join()
        line.close()

    def close(self) -> None:
        """End all workers at once."""
        for trial in list(self._busy):
            self.dismiss(trial)
        for process, line in self._idle:
            process.kill()
            process.join()
            line.close()
        self._idle.clear()

    def _heard(self, trial: int) -> Any:
        process, line = self._busy[trial]
        try:
            return line.recv()
        except (EOFError, OSError):  # OSError: killed in the midst of a message
            process.join()
            line.close()
            del self._busy[trial]
            return Died(_how(process.exitcode), _end_of(self._log_of(process.name)))

    def _send(self, line: Connection, what: object) -> None:
        try:
            line.send(what)
        except OSError:
            # It has died; the next `wait` will find its end of the pipe closed.
            return

    def _hire(self) -> tuple[BaseProcess, Connection]:
        here, there = self._context.Pipe()
        self._begun += 1
        name = f"worker-{self._begun}"
        process = self._context.Process(  # type: ignore[attr-defined]
            target=_work, name=name, args=(there, self._log_of(name), self._threads)
        )
        process.start()
        there.close()
        return process, here

    def _log_of(self, worker: str) -> Path:
        return self._logs / f"{worker}.log"


def _work(line: Connection, log: Path, threads: int) -> None:
    # Only in the worker: it loads torch.
    from mergerscope.sweep.worker import work

    work(line, log, threads)


def _end_of(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-SAID:].strip()
    except OSError:
        return ""


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"
    return f"was ended by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")

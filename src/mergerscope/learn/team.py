"""The processes that train together: started, joined to a group, and ended, whatever happens.

The process that was asked to train is the first of them. It starts the others, which do nothing but train: whoever
called it, be it a stage, a notebook or a test, keeps files, tracking and terminal for itself. Lightning's own ways run
the whole command again in each process, or train in none of those that the caller can see.

Where a launcher has started all of them, on one machine or several, they are only joined.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from datetime import timedelta
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType

import torch
import torch.distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from mergerscope.errors import ContractError, MergerscopeError
from mergerscope.learn.place import Place
from mergerscope.orphans import die_with_parent

__all__ = ["Job", "Team"]

TIMEOUT = timedelta(minutes=30)
"""Longer than the first process measures its monitors while the others wait."""
FAREWELL_S = 60.0
"""For a helper to end once the training is over."""
LAST_WORDS_S = 5.0
"""For a helper to tell why it failed, once its absence has been noticed."""
READY = "ready"

Job = Callable[[Place, Callable[[], None]], None]
"""What a helper does, as something that can be pickled: it gets its place, and the function that joins the group."""


class Team:
    """The processes of one training, from the first one's side; a context that ends them.

    Args:
        place: of this process.
        device: on which each trains: CUDA, by its local rank, or CPU.
        job: of the others.
    """

    def __init__(self, place: Place, device: torch.device, job: Job) -> None:
        self._place, self._job = place, job
        self._backend = "nccl" if device.type == "cuda" else "gloo"
        self._store: TCPStore | None = None
        self._helpers: dict[Connection, tuple[BaseProcess, int]] = {}
        self._threads = torch.get_num_threads()
        self._shares_cores = False

    def __enter__(self) -> Team:
        helpers = self._place.helpers()
        if helpers:
            # Port 0: the system chooses one that is free, and no other process can take it in between.
            self._store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=TIMEOUT)
            self._share_cores()
            try:
                for place in helpers:
                    self._start(place, self._store.port)
            except BaseException:
                self._end()
                raise
        return self

    def join(self) -> None:
        """Join the group, once all others have come so far; alone, do nothing.

        Raises:
            MergerscopeError: one of them has failed before.
        """
        if self._place.processes == 1:
            return
        for line in self._helpers:
            if (failure := self._failure(line)) is not None:
                raise failure
        _join(self._backend, self._place, self._store)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is None:
                _leave()
                for process, _ in self._helpers.values():
                    process.join(FAREWELL_S)
            elif isinstance(error, Exception) and not isinstance(error, MergerscopeError):
                # Of a group that has lost one, all that the others see is a closed connection.
                ended = connection.wait(list(self._helpers), LAST_WORDS_S)
                failures = [failure for line in self._helpers if line in ended and (failure := self._failure(line))]
                if failures:
                    raise min(failures, key=lambda one: not isinstance(one, MergerscopeError)) from error
        finally:
            self._end()

    def _start(self, place: Place, port: int) -> None:
        context = get_context("spawn")  # a fork would have a CUDA and threads that do not work
        here, there = context.Pipe()
        process = context.Process(
            target=_help, name=f"device-{place.rank}", args=(there, place, self._backend, port, self._job)
        )
        process.start()
        there.close()
        self._helpers[here] = process, place.rank

    def _failure(self, line: Connection) -> Exception | None:
        """Wait for a helper to be ready, or return why it is not."""
        try:
            told: str | ContractError = line.recv()
        except (EOFError, OSError):
            process, rank = self._helpers[line]
            process.join(FAREWELL_S)
            return MergerscopeError(
                f"the process of device {rank} has ended with exit code {process.exitcode} in the midst of the "
                "training (-9: killed, perhaps for want of memory). The same command goes on from the last whole epoch."
            )
        if isinstance(told, ContractError):
            return told
        return None if told == READY else RuntimeError(f"a process that trains with this one has failed:\n{told}")

    def _share_cores(self) -> None:
        if "OMP_NUM_THREADS" in os.environ:
            return
        # In the environment as well: for the helpers, and for Lightning, which would count the cores itself.
        threads = max(1, self._threads // self._place.local_processes)
        os.environ["OMP_NUM_THREADS"] = str(threads)
        torch.set_num_threads(threads)
        self._shares_cores = True

    def _end(self) -> None:
        _leave()
        for line, (process, _) in self._helpers.items():
            process.kill()
            process.join()
            line.close()
        self._helpers.clear()
        self._store = None
        if self._shares_cores:
            del os.environ["OMP_NUM_THREADS"]
            torch.set_num_threads(self._threads)


def _help(line: Connection, place: Place, backend: str, port: int, job: Job) -> None:
    # Ctrl-C reaches every process of the terminal; the first one answers, and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()

    def join() -> None:
        line.send(READY)
        store = TCPStore("127.0.0.1", port, is_master=False, timeout=TIMEOUT)
        _join(backend, place, store)

    try:
        job(place, join)
    except MergerscopeError as error:
        line.send(ContractError(str(error)))
        raise SystemExit(1) from None
    except Exception:
        line.send(traceback.format_exc())
        raise SystemExit(1) from None
    _leave()


def _join(backend: str, place: Place, store: TCPStore | None) -> None:
    if backend == "nccl":
        torch.cuda.set_device(place.local_rank)
    if place.launched:
        dist.init_process_group(backend, timeout=TIMEOUT)
    else:
        dist.init_process_group(
            backend, store=store, rank=place.rank, world_size=place.processes, timeout=TIMEOUT
        )


def _leave() -> None:
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()

"""The workers of one run: threads that take galaxies and give back what became of them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass

from mergerscope.fetch.download import Downloader
from mergerscope.fetch.ledger import Ledger
from mergerscope.fetch.pace import Pace, RateLimit
from mergerscope.fetch.request import Cutouts
from mergerscope.fetch.targets import Target
from mergerscope.fetch.trouble import FetchError

__all__ = ["Outcome", "work"]

GRACE_S = 2.0
"""After Ctrl-C, for files that are almost there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one galaxy."""

    target: Target
    is_new: bool = False
    """Whether its file came now, and not in a run before."""
    failure: FetchError | None = None
    """Why there is none."""


def work(
    targets: Iterable[Target], ledger: Ledger, asked: Cutouts, pace: Pace, workers: int
) -> Generator[Outcome, None, None]:
    """Yield the outcome of every target, as they come.

    At most a few targets wait, so a table of millions may be streamed. When the caller stops taking, by Ctrl-C say,
    waiting workers end at once; one that waits for the network is left to end with the process.

    Raises:
        OSError: a file cannot be written: the disk is full, say.
    """
    stop = threading.Event()
    limit = RateLimit(pace, stop)
    todo: queue.Queue[Target | None] = queue.Queue(2 * workers)
    done: queue.Queue[Outcome | Exception] = queue.Queue()

    def run() -> None:
        downloader = Downloader(asked, pace, limit, stop)
        while (target := todo.get()) is not None and not stop.is_set():
            try:
                done.put(_one(target, ledger, downloader))
            except Exception as error:  # it is raised again where somebody listens
                done.put(error)

    # Daemons, and no pool of the library: at exit that would wait for an answer that may never come.
    crew = [threading.Thread(target=run, name=f"fetch-{number}", daemon=True) for number in range(workers)]
    for worker in crew:
        worker.start()
    try:
        waiting = 0
        for target in targets:
            while waiting >= 2 * workers:
                yield _taken(done.get())
                waiting -= 1
            todo.put(target)
            waiting += 1
        for _ in range(waiting):
            yield _taken(done.get())
    finally:
        stop.set()
        _dismiss(crew, todo)


def _one(target: Target, ledger: Ledger, downloader: Downloader) -> Outcome:
    if ledger.is_whole(target):
        return Outcome(target)
    try:
        ledger.store(target, downloader.fetch(target.ra_deg, target.dec_deg))
    except FetchError as error:
        return Outcome(target, failure=error)
    return Outcome(target, is_new=True)


def _taken(outcome: Outcome | Exception) -> Outcome:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _dismiss(crew: list[threading.Thread], todo: queue.Queue[Target | None]) -> None:
    while True:
        try:
            todo.get_nowait()
        except queue.Empty:
            break
    for _ in crew:
        todo.put(None)
    for worker in crew:
        worker.join(GRACE_S / len(crew))

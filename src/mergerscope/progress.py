"""One way to show progress: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["Advance", "console", "progress"]

console = Console(stderr=True)

LOG_EVERY_S = 15.0


class Advance(Protocol):
    """Say that ``count`` more units are done, and optionally a short note such as the present loss."""

    def __call__(self, count: int = 1, note: str = "") -> None:
        """Advance by ``count`` units."""


@contextmanager
def progress(description: str, total: int, unit: str = "") -> Iterator[Advance]:
    """Show ``description`` with the number done of ``total`` until the block ends.

    Yields a function to call with the number of further units done.
    """
    if console.is_terminal:
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit),
            TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=console,
        ) as bar:
            task = bar.add_task(description, total=total, note="")
            yield lambda count=1, note="": bar.update(task, advance=count, note=note)
        return

    start = last = time.monotonic()
    done = 0

    def advance(count: int = 1, note: str = "") -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if now - last >= LOG_EVERY_S:
            last = now
            console.print(f"{description}: {done}/{total} {unit} {note}".rstrip(), highlight=False)

    yield advance
    console.print(f"{description}: {done}/{total} {unit} in {time.monotonic() - start:.1f} s".replace("  ", " "))

"""`mergerscope sweep`: check, open, work, write what came out."""

from __future__ import annotations

import math
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import console
from mergerscope.shards.manifest import Manifest
from mergerscope.survey.catalog_file import read_catalog
from mergerscope.survey.digests import worker_count
from mergerscope.sweep.children import close_stale
from mergerscope.sweep.count import counting
from mergerscope.sweep.crew import Crew
from mergerscope.sweep.dispatch import Dispatcher
from mergerscope.sweep.ledger import Ledger
from mergerscope.sweep.request import Request
from mergerscope.sweep.settings import study_settings
from mergerscope.sweep.space import baseline_values, check_space
from mergerscope.sweep.storage import open_storage, storage_errors
from mergerscope.sweep.study import open_study, quiet_optuna
from mergerscope.sweep.table import Board
from mergerscope.sweep.verdict import judge
from mergerscope.tracking.study_runs import StudyRuns

__all__ = ["run"]

INTERRUPTED, ENDED = "interrupted", "ended by SIGTERM"
TERMINATED = 143
"""What a shell expects of a program ended by SIGTERM."""


def run(paths: Paths, params: Params, request: Request) -> None:
    """Search for settings of a higher recall, on references only, until so many trials of the study count.

    Writes into ``sweeps/NAME/``: ``best.yaml``, ``trials.csv``, ``report.html`` and figures; and into MLflow a run for
    the study with a child for each trial. Killed at any moment, it goes on when it is asked to resume.

    Raises:
        ParameterError: the space cannot be searched.
        SweepError: the storage or the study cannot be used, or not even the present settings be trained.
        MissingInputError: catalogue or shards are not there.
        ContractError: the shards are of other settings, or there are too few references.
        TrackingError: the MLflow store cannot be used.
    """
    check_space(params)
    settings = study_settings(params, Manifest.load(paths.manifest), read_catalog(paths.catalog))
    folder = paths.sweeps / request.study
    quiet_optuna()
    storage = open_storage(request.storage, folder / "journal.log")
    with storage_errors(request.storage or str(folder / "journal.log")), _signals() as asked:
        study = open_study(storage, request.study, params.sweep, settings, request.resume)
        ledger = Ledger(study, params.sweep, request.trials, baseline_values(params))
        # Under the study's own key, every sweep at it finds the same parent, and none is made twice.
        runs = StudyRuns.open(paths, request.study, params, params.sweep.space, study.user_attrs["key"])
        reason = _work(paths, params, request, ledger, runs, asked)
        # Whoever sends SIGTERM seldom waits for figures.
        if reason != ENDED:
            _finish(ledger, runs, request, folder, reason)
    if reason == INTERRUPTED:
        raise KeyboardInterrupt
    if reason == ENDED:
        raise SystemExit(TERMINATED)


def _work(
    paths: Paths, params: Params, request: Request, ledger: Ledger, runs: StudyRuns, asked: Callable[[], str]
) -> str:
    """Work at the study; return why it was ended before its trials were over, or an empty string."""
    scratch = paths.sweeps / request.study / ".scratch"
    threads = max(1, worker_count(0) // request.workers)
    until = math.inf if request.timeout is None else time.monotonic() + request.timeout
    board = Board(console, request.study, request.trials, request.workers, request.timeout)
    # The crew ends whatever else fails: Python waits at its exit for workers that wait for an answer.
    with board, closing(Crew(request.workers, threads, scratch)) as crew:
        dispatcher = Dispatcher(paths, params, ledger, runs, crew, request.trials, threads, scratch)

        def stop() -> str:
            return asked() or (f"stopped after {request.timeout:g} s" if time.monotonic() >= until else "")

        reason = "ended by an error"
        try:
            reason = dispatcher.work(stop, board.update)
        finally:
            dispatcher.stop(reason)
            close_stale(runs, ledger)
            if reason:
                runs.finish("KILLED", {})
    if not reason and not ledger.running():
        shutil.rmtree(scratch, ignore_errors=True)
    return reason


@contextmanager
def _signals() -> Iterator[Callable[[], str]]:
    """Note Ctrl-C and SIGTERM, to be asked for between two steps; a second Ctrl-C comes at once."""
    noted: list[str] = []

    def note(number: int, frame: object) -> None:
        if noted and number == signal.SIGINT:
            raise KeyboardInterrupt
        noted.append(INTERRUPTED if number == signal.SIGINT else ENDED)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: noted[0] if noted else ""
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _finish(ledger: Ledger, runs: StudyRuns, request: Request, folder: Path, reason: str) -> None:
    """Write and keep what came out, and say how it went."""
    # Only now: it draws, and that takes a while to load.
    from mergerscope.sweep.outcome import write_outcome

    over = counting(ledger.trials)
    verdict = judge(over)
    metrics = {
        "trials": float(len(over)), "best_recall": verdict.best_value, "baseline_recall": verdict.baseline_value,
        "difference": verdict.difference, "noise": verdict.noise,
    }  # fmt: skip
    status: Literal["FINISHED", "FAILED", "KILLED"] = "FAILED"
    try:
        runs.keep(write_outcome(ledger.study, folder, request.study))
        status = "KILLED" if reason else "FINISHED"
    finally:
        runs.finish(status, metrics)
    if reason:
        console.print(f"sweep: {reason}, {len(over)} of {request.trials} trials; go on with --resume", highlight=False)
    console.print(f"sweep: {verdict.sentence}", highlight=False, soft_wrap=True)
    console.print(f"sweep: {folder / 'report.html'}", highlight=False, soft_wrap=True)

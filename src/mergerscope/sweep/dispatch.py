"""The one process a machine that works at the study: begins trials, follows their epochs, ends them.

Workers know nothing but their training. So a worker may be killed at any moment and costs one attempt at one trial; and
when this process is killed, its workers end with it, and whoever works at the study next gives its trials up to be
tried again.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from mergerscope.errors import ParameterError, SweepError
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import console
from mergerscope.sweep.candidate import candidate
from mergerscope.sweep.children import close_stale, end_child
from mergerscope.sweep.count import counting, first_attempt, is_void, worker_deaths
from mergerscope.sweep.crew import Crew, Died
from mergerscope.sweep.job import Job
from mergerscope.sweep.ledger import Ledger
from mergerscope.sweep.space import packs, ranks
from mergerscope.sweep.table import BoardState, board_state
from mergerscope.sweep.task import Ended, Epoch, Failed, Result, Task
from mergerscope.tracking.study_runs import StudyRuns

__all__ = ["Dispatcher"]

TICK_S = 0.5
"""So long it waits for its workers before it looks around."""
BEAT_S = 20.0
"""Between two signs of life."""
LOOK_S = 5.0
"""Between two looks for the trials of dead processes."""
DEATHS = 5
"""Workers that the same values may cost."""
REASON = 500
"""Characters of a reason that are kept."""


class Dispatcher:
    """Works at a study until so many trials count.

    Args:
        paths: of the project.
        params: the present parameters.
        ledger: the study.
        runs: its runs.
        crew: the workers of this machine.
        total: trials asked for.
        threads: of each worker.
        scratch: folder of resume points.
    """

    def __init__(
        self, paths: Paths, params: Params, ledger: Ledger, runs: StudyRuns, crew: Crew, total: int, threads: int,
        scratch: Path,
    ) -> None:
        self._paths, self._params, self._ledger, self._runs, self._crew = paths, params, ledger, runs, crew
        self._total, self._threads, self._scratch = total, threads, scratch
        self._jobs: dict[int, Job] = {}
        self._began = time.monotonic()
        self._due = {self._beat: -math.inf, self._reap: -math.inf}
        settings = ledger.study.user_attrs["settings"]
        self._data = "/".join(settings[name] for name in ("survey", "split", "shards"))

    def work(self, stop: Callable[[], str], show: Callable[[BoardState], None]) -> str:
        """Work until all trials are over, or ``stop`` returns why to end before, and return that.

        Raises:
            SweepError: the present parameters themselves cannot be trained.
        """
        while True:
            self._do_what_is_due()
            over = counting(self._ledger.trials)
            now = time.monotonic()
            show(board_state(over, [job.shown(now) for job in self._jobs.values()], now - self._began))
            if len(over) >= self._total and not self._jobs:
                return ""
            if reason := stop():
                return reason
            self._begin_trials()
            for number, message in self._crew.wait(TICK_S):
                self._hear(number, self._jobs[number], message)

    def stop(self, reason: str) -> None:
        """Give up the running trials; whoever works at the study next takes them up where they are."""
        for number, job in list(self._jobs.items()):
            self._crew.dismiss(number)
            self._fail(number, job, reason, stopped=True)

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        for act, period in ((self._beat, BEAT_S), (self._reap, LOOK_S)):
            if now - self._due[act] >= period:
                self._due[act] = now
                act()

    def _beat(self) -> None:
        self._ledger.beat(list(self._jobs))

    def _reap(self) -> None:
        if self._ledger.reap(list(self._jobs)):
            close_stale(self._runs, self._ledger)

    def _begin_trials(self) -> None:
        while self._crew.free:
            trial = self._ledger.claim()
            if trial is None:
                return
            self._begin(trial)

    def _begin(self, trial: Trial) -> None:
        number = trial.number
        first, attempt = first_attempt(number, self._ledger.trials)
        try:
            params, problem = candidate(self._params, trial.params), ""
        except ParameterError as error:
            params, problem = (), str(error)
        try:
            run = self._runs.begin(number, trial.params, params[0] if params else None, attempt)
            self._ledger.note(number, mlflow_run_id=run.id)
        except BaseException:
            # It is nobody's job yet, so that nobody else would end it.
            self._ledger.end(number, TrialState.FAIL, stopped=True, reason="its run could not be begun")
            raise
        if not params:
            self._fail(number, Job(trial, run, 0, time.monotonic()), problem)
            return
        scratch = self._scratch / str(first)
        self._jobs[number] = Job(trial, run, sum(one.train.epochs for one in params), time.monotonic())
        self._crew.begin(
            Task(number, params, self._paths.root, scratch, self._data, packs(self._params),
                 ranks(self._params), self._threads)
        )  # fmt: skip

    def _hear(self, number: int, job: Job, message: Any) -> None:
        match message:
            case Epoch():
                self._epoch(number, job, message)
            case Died():
                self._died(number, job, message)
            case _:
                self._crew.release(number)
                self._over(number, job, message)

    def _epoch(self, number: int, job: Job, epoch: Epoch) -> None:
        job.epochs, job.recall = epoch.epochs, epoch.row["validation_recall"]
        over = False
        try:
            self._ledger.report(job.trial, job.recall, job.epochs)
            # The present settings are what all others are compared with; and a trained trial tells more than a pruned.
            may_end = not job.trial.user_attrs.get("baseline") and job.epochs < job.epochs_asked
            job.pruned = may_end and self._ledger.should_prune(job.trial, job.epochs)
        except UpdateFinishedTrialError:
            over = True  # by another machine, which has taken it for lost
        self._crew.answer(number, "stop" if job.pruned or over else "go on")
        if problem := job.log(epoch.row):
            console.print(f"trial {number}: {problem}", highlight=False, markup=False, soft_wrap=True)

    def _died(self, number: int, job: Job, died: Died) -> None:
        deaths = worker_deaths(number, self._ledger.trials) + 1
        reason = f"its worker {died.how}"
        said = {"worker_log": died.said} if died.said else {}
        if deaths < DEATHS:
            self._fail(number, job, reason, lost="worker", **said)
        else:
            self._fail(number, job, f"{reason}; {deaths} workers have ended with these values", **said)
            self._forget(number)

    def _over(self, number: int, job: Job, message: Result | Failed | Ended) -> None:
        if isinstance(message, Result):
            self._complete(number, job, message)
        elif isinstance(message, Failed):
            more = {"traceback": message.traceback} if message.traceback else {}
            self._fail(number, job, message.reason, **more)
        elif job.pruned:
            self._end(number, job, TrialState.PRUNED)
        else:
            self._fail(number, job, "taken for lost by another machine", lost="sweep")
        self._forget(number)

    def _complete(self, number: int, job: Job, result: Result) -> None:
        recall = float(np.mean(result.recalls))
        if not math.isfinite(recall):
            self._fail(number, job, f"its recall is {recall}")
            return
        several = self._params.sweep.multi_objective
        values = [recall, float(result.embedding_dim)] if several else [recall]
        self._end(number, job, TrialState.COMPLETE, values, **asdict(result))

    def _fail(self, number: int, job: Job, reason: str, **attrs: Any) -> None:
        """End a trial as failed; by its own fault where the attributes do not say that it does not count."""
        reason = reason[:REASON]
        own_fault = not attrs.keys() & {"lost", "stopped"}
        # Where not even the present settings can be trained, something is wrong that a sweep cannot mend.
        hopeless = own_fault and bool(job.trial.user_attrs.get("baseline"))
        if hopeless:
            attrs["stopped"] = True
        self._end(number, job, TrialState.FAIL, reason=reason, **attrs)
        if hopeless:
            raise SweepError(
                f"The present settings, which every trial is compared with, cannot be trained: {reason}\n"
                f"{attrs.get('traceback', '')}".rstrip()
            )
        if own_fault:
            console.print(f"trial {number} failed: {reason}", highlight=False, markup=False)

    def _end(
        self, number: int, job: Job, state: TrialState, values: Sequence[float] | None = None, **attrs: Any
    ) -> None:
        """End a trial and its run; where another process has ended the trial before, the run ends as that says."""
        self._jobs.pop(number, None)
        trial = self._ledger.end(number, state, values, seconds=round(time.monotonic() - job.begun, 3), **attrs)
        job.log_rest()
        end_child(self._runs, job.run.id, trial)

    def _forget(self, number: int) -> None:
        """Remove the resume points of a trial that is over for good; of another, the next attempt has need of them."""
        trials = self._ledger.trials
        if not any(is_void(trial) for trial in trials if trial.number == number):
            first, _ = first_attempt(number, trials)
            shutil.rmtree(self._scratch / str(first), ignore_errors=True)

"""What one sweep writes into its study: trials begun, followed, ended, and those of dead processes given up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from mergerscope.params import SweepParams
from mergerscope.sweep.count import FIXED, is_surplus, takes_a_place, untaken, values_of
from mergerscope.sweep.owner import Watch, owner
from mergerscope.sweep.study import distributions, draw, make_sampler

__all__ = ["Ledger"]


class Ledger:
    """The study, as one process that works at it sees and writes it.

    Args:
        study: the study.
        sweep: its settings.
        total: trials asked for.
        baseline: the present value of each parameter that is searched.
    """

    def __init__(self, study: optuna.Study, sweep: SweepParams, total: int, baseline: Mapping[str, Any]) -> None:
        self.study = study
        self._sweep, self._total, self._baseline = sweep, total, dict(baseline)
        self._distributions = distributions(sweep.space)
        # Optuna has no other way to a trial that begins with its owner: between two writes, a process may die.
        self._storage = study._storage
        self._study_id = study._study_id
        self._watch = Watch()
        self._pulse = 0

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials, as they now are."""
        return self.study.get_trials(deepcopy=False)

    def running(self) -> list[int]:
        """Return the numbers of the trials that run, here or elsewhere."""
        return [trial.number for trial in self.trials if trial.state == TrialState.RUNNING]

    def claim(self) -> Trial | None:
        """Begin a trial and draw its values, if one more is needed: the present settings, a lost one's, or new ones."""
        trials = self.trials
        if any(trial.state == TrialState.WAITING for trial in trials):
            # Put into the queue by a person.
            number = self.study.ask().number
            self.note(number, **owner())
            return self._drawn(number)
        if sum(map(takes_a_place, trials)) >= self._total:
            return None
        attrs, fixed = self._next(trials)
        template = create_trial(
            state=TrialState.RUNNING, user_attrs=owner() | attrs, system_attrs={FIXED: fixed} if fixed else {}
        )
        return self._drawn(self._storage.get_trial(self._storage.create_new_trial(self._study_id, template)).number)

    def _drawn(self, number: int) -> Trial | None:
        if is_surplus(number, self.trials, self._total):
            self.end(number, TrialState.FAIL, surplus=True, reason="one trial too many")
            return None
        self.study.sampler = make_sampler(self._sweep, number)
        trial = Trial(self.study, self._id(number))
        for name, distribution in self._distributions.items():
            draw(trial, name, distribution)
        trial.set_user_attr("values", trial.params)
        return trial

    def _next(self, trials: Sequence[FrozenTrial]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return attributes and values of the trial that is needed next; what has no value is drawn."""
        for lost in untaken(trials):
            baseline = {"baseline": True} if lost.user_attrs.get("baseline") else {}
            return {"retry_of": lost.number} | baseline, values_of(lost)
        if not any(trial.user_attrs.get("baseline") and takes_a_place(trial) for trial in trials):
            return {"baseline": True}, self._baseline
        return {}, {}

    def report(self, trial: Trial, recall: float, step: int) -> None:
        """Keep the recall after so many epochs."""
        # Optuna follows no study with several objectives, and a recall without a value tells nothing.
        if len(self.study.directions) == 1 and math.isfinite(recall):
            trial.report(recall, step)

    def should_prune(self, trial: Trial, step: int) -> bool:
        """Whether a trial is to be given up after so many epochs."""
        complete = sum(one.state == TrialState.COMPLETE for one in self.trials)
        if len(self.study.directions) > 1 or step <= self._sweep.warmup_epochs or complete < self._sweep.startup_trials:
            return False
        return trial.should_prune()

    def note(self, number: int, **attrs: Any) -> None:
        """Set user attributes of a running trial."""
        for name, value in attrs.items():
            self._storage.set_trial_user_attr(self._id(number), name, value)

    def end(
        self, number: int, state: TrialState, values: Sequence[float] | None = None, **attrs: Any
    ) -> FrozenTrial:
        """End a trial with its last user attributes, and return it; it may be that another process has ended it."""
        trial = self._id(number)
        try:
            self.note(number, **attrs)
            self.study.tell(number, values=values, state=state)
        except (UpdateFinishedTrialError, ValueError):
            # A ValueError is Optuna's way to say that it is over, among other things.
            if not self._storage.get_trial(trial).state.is_finished():
                raise
        return self._storage.get_trial(trial)

    def beat(self, numbers: Sequence[int]) -> None:
        """Give a sign of life of one's own trials."""
        self._pulse += 1
        for number in numbers:
            try:
                self.note(number, alive=self._pulse)
            except UpdateFinishedTrialError:
                continue

    def reap(self, mine: Sequence[int]) -> list[int]:
        """Give up the trials of dead processes, so that they are tried again, and return their numbers."""
        running = [one for one in self.trials if one.state == TrialState.RUNNING and one.number not in mine]
        lost = [(one.number, reason) for one in running if (reason := self._watch.lost(one))]
        for number, reason in lost:
            self.end(number, TrialState.FAIL, lost="sweep", reason=reason)
        return [number for number, _ in lost]

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

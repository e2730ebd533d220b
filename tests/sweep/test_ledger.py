"""However sweeps begin, die and come back, exactly as many trials count as were asked for."""

from __future__ import annotations

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState, create_trial

from mergerscope.params import SweepParams
from mergerscope.sweep import ledger as ledger_module
from mergerscope.sweep.count import FIXED, counted, first_attempt, is_void, untaken, worker_deaths
from mergerscope.sweep.ledger import Ledger
from mergerscope.sweep.owner import PATIENCE_S, Watch, owner
from mergerscope.sweep.study import quiet_optuna

SWEEP = SweepParams(sampler="random")
BASELINE = {"views.strength": 0.5, "encoder.embedding_dim": 512}
DONE = {"recalls": [0.5], "seconds": 1.0}


@pytest.fixture(autouse=True)
def quiet():
    quiet_optuna()


def new_study(directions=("maximize",)):
    return optuna.create_study(study_name="one", directions=list(directions))


class TestClaims:
    def test_the_present_settings_come_first(self):
        ledger = Ledger(new_study(), SWEEP, 3, BASELINE)
        trials = [ledger.claim() for _ in range(4)]
        assert trials[3] is None
        assert trials[0].params == BASELINE
        assert [trial.user_attrs.get("baseline") for trial in trials[:3]] == [True, None, None]
        assert all(trial.user_attrs["pid"] == owner()["pid"] for trial in trials[:3])
        assert trials[1].params != trials[2].params != BASELINE

    def test_values_depend_on_the_number_alone(self):
        """A resumed sweep must not draw again what it has drawn."""
        first, second = Ledger(new_study(), SWEEP, 9, BASELINE), Ledger(new_study(), SWEEP, 9, BASELINE)
        drawn = [first.claim().params for _ in range(5)]
        again = []
        for _ in range(5):
            again.append(second.claim().params)
            second = Ledger(second.study, SWEEP, 9, BASELINE)
        assert again == drawn
        assert len({tuple(one.values()) for one in drawn}) == 5

    @pytest.mark.parametrize("how", [{"lost": "worker"}, {"lost": "sweep"}, {"stopped": True}])
    def test_what_was_lost_comes_next_with_its_values(self, how):
        ledger = Ledger(new_study(), SWEEP, 3, BASELINE)
        trials = [ledger.claim() for _ in range(3)]
        ledger.end(trials[1].number, TrialState.FAIL, **how)
        again = ledger.claim()
        assert again.params == trials[1].params
        assert again.user_attrs["retry_of"] == trials[1].number
        assert ledger.claim() is None
        ledger.end(trials[0].number, TrialState.FAIL, **how)
        assert ledger.claim().user_attrs["baseline"]

    def test_what_failed_by_itself_does_not(self):
        ledger = Ledger(new_study(), SWEEP, 2, BASELINE)
        trials = [ledger.claim() for _ in range(2)]
        ledger.end(trials[1].number, TrialState.FAIL, reason="diverged")
        assert ledger.claim() is None
        assert [trial.number for trial in counted(ledger.study)] == [1]

    def test_a_trial_that_died_before_its_values_were_drawn(self, monkeypatch):
        ledger = Ledger(new_study(), SWEEP, 2, BASELINE)
        ledger.claim()
        with monkeypatch.context() as patch:
            patch.setattr(ledger_module, "draw", lambda *given: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                ledger.claim()
        ledger.end(1, TrialState.FAIL, lost="sweep")
        assert untaken(ledger.trials) == []
        assert len(ledger.claim().params) == 2

    def test_attempts_are_told_apart(self):
        ledger = Ledger(new_study(), SWEEP, 1, BASELINE)
        for attempt, how in enumerate(["worker", "sweep", "worker"]):
            number = ledger.claim().number
            assert first_attempt(number, ledger.trials) == (0, attempt)
            ledger.end(number, TrialState.FAIL, lost=how)
        assert worker_deaths(number, ledger.trials) == 2

    def test_what_a_person_put_into_the_queue(self):
        study = new_study()
        ledger = Ledger(study, SWEEP, 2, BASELINE)
        ledger.claim()
        study.enqueue_trial({"views.strength": 0.125})
        queued = ledger.claim()
        assert queued.params["views.strength"] == 0.125
        assert queued.user_attrs["pid"] == owner()["pid"]
        assert ledger.claim() is None

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_two_that_begin_at_the_same_moment(self, order):
        """Each looks, sees room, and begins: of two first trials of the present settings one is too many."""
        ledgers = [Ledger(new_study(), SWEEP, 3, BASELINE)]
        ledgers.append(Ledger(ledgers[0].study, SWEEP, 3, BASELINE))
        for ledger in ledgers:
            ledger._storage.create_new_trial(ledger._study_id, create_trial(
                state=TrialState.RUNNING, user_attrs=owner() | {"baseline": True}, system_attrs={FIXED: BASELINE}
            ))  # fmt: skip
        claimed = {number: ledgers[number]._drawn(number) for number in order}
        assert claimed[0].params == BASELINE
        assert claimed[1] is None
        assert [trial.user_attrs.get("surplus") for trial in ledgers[0].trials] == [None, True]
        assert counted(ledgers[0].study) == []


STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["claim", "claim", "complete", "fail", "worker", "die", "stop"])),
    max_size=60,
)


@given(STEPS, st.integers(1, 7))
def test_any_order_of_work_and_death_ends_in_what_was_asked_for(steps, total):
    study = new_study()
    ledgers = [Ledger(study, SWEEP, total, BASELINE) for _ in range(3)]
    held = [[] for _ in ledgers]
    ends = {"complete": (TrialState.COMPLETE, {}), "fail": (TrialState.FAIL, {"reason": "diverged"}),
            "worker": (TrialState.FAIL, {"lost": "worker"}), "stop": (TrialState.FAIL, {"stopped": True}),
            "die": (TrialState.FAIL, {"lost": "sweep"})}  # fmt: skip

    def end(who, number, how):
        state, attrs = ends[how]
        ledgers[who].end(number, state, [0.5] if how == "complete" else None, **attrs)

    for who, what in steps:
        if what == "claim":
            trial = ledgers[who].claim()
            held[who] += [trial.number] if trial is not None else []
        elif held[who]:
            for number in held[who] if what == "die" else held[who][:1]:
                end(who, number, what)
            held[who] = [] if what == "die" else held[who][1:]
        assert len(counted(study)) + sum(map(len, held)) <= total
    for who, numbers in enumerate(held):
        for number in numbers:
            end(who, number, "complete")
    while (trial := ledgers[0].claim()) is not None:
        end(0, trial.number, "complete")
    assert len(counted(study)) == total
    assert all(trial.state.is_finished() for trial in study.trials)
    assert untaken(study.trials) == []
    done = [trial.params for trial in counted(study)]
    assert all(trial.params in done for trial in study.trials if is_void(trial))
    assert sum(trial.user_attrs.get("baseline", False) for trial in counted(study)) == 1


class TestPruning:
    def follow(self, sweep, others, baseline=False):
        study = new_study()
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=0)
        ledger = Ledger(study, sweep, 99, BASELINE)
        for value in others:
            trial = ledger.claim()
            for step in (1, 2, 3):
                ledger.report(trial, value, step)
            ledger.end(trial.number, TrialState.COMPLETE, [value])
        trial = ledger.claim()
        told = []
        for step in (1, 2, 3):
            ledger.report(trial, 0.1, step)
            told.append(ledger.should_prune(trial, step))
        return told

    def test_after_the_warm_up(self):
        assert self.follow(SweepParams(startup_trials=2, warmup_epochs=1), [0.5] * 4) == [False, True, True]
        assert self.follow(SweepParams(startup_trials=2, warmup_epochs=0), [0.5] * 4) == [True, True, True]

    def test_after_the_first_trials(self):
        assert self.follow(SweepParams(startup_trials=5, warmup_epochs=0), [0.5] * 4) == [False] * 3

    def test_not_the_better_half(self):
        assert self.follow(SweepParams(startup_trials=2, warmup_epochs=0), [0.05] * 4) == [False] * 3

    def test_never_with_several_objectives(self):
        sweep = SweepParams(startup_trials=1, warmup_epochs=0)
        ledger = Ledger(new_study(["maximize", "minimize"]), sweep, 9, BASELINE)
        trial = ledger.claim()
        ledger.report(trial, 0.5, 1)
        assert not ledger.should_prune(trial, 1)


class TestTheDead:
    def trial(self, **attrs):
        study = new_study()
        ledger = Ledger(study, SWEEP, 3, BASELINE)
        number = ledger.claim().number
        ledger.note(number, **attrs)
        return ledger, study.trials[number]

    def test_a_process_of_this_machine_that_lives(self):
        _, trial = self.trial()
        assert Watch().lost(trial) == ""

    @pytest.mark.parametrize("attrs", [{"pid": 2**22 + 1}, {"born": "0"}, {"pid": 1}])
    def test_one_that_is_gone_or_another_now(self, attrs):
        ledger, trial = self.trial(**attrs)
        assert "was killed" in Watch().lost(trial)
        assert ledger.reap([trial.number]) == []
        assert ledger.reap([]) == [trial.number]
        assert ledger.study.trials[0].user_attrs["lost"] == "sweep"
        assert ledger.reap([]) == []

    def test_one_of_another_machine_must_give_signs_of_life(self):
        now = [1000.0]
        watch = Watch(lambda: now[0])
        ledger, trial = self.trial(machine="elsewhere")
        assert watch.lost(trial) == ""
        now[0] += PATIENCE_S - 1
        assert watch.lost(trial) == ""
        ledger.beat([trial.number])
        now[0] += 2
        assert watch.lost(ledger.study.trials[0]) == ""
        now[0] += PATIENCE_S + 1
        assert "no sign of life" in watch.lost(ledger.study.trials[0])

    def test_a_trial_that_another_has_ended(self):
        ledger, trial = self.trial()
        ledger.end(trial.number, TrialState.FAIL, lost="sweep")
        ledger.beat([trial.number])
        assert ledger.end(trial.number, TrialState.COMPLETE, [0.5], **DONE).state == TrialState.FAIL

"""Searches that end before their plan, on simulated time."""

from __future__ import annotations

from typing import Any

import pytest

from blurb_tune.core.trial import Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.simulator import MemoryLog
from blurb_tune.spec.budget import BudgetSpec
from blurb_tune.sweep.budget import spent_budget
from tests.sweep.test_confirmation import fresh, run, spec_of


def spent_in(log: MemoryLog) -> list[ev.BudgetSpent]:
    return [event for event in log.events if isinstance(event, ev.BudgetSpent)]


@pytest.mark.parametrize("trials", [1, 7, 23])
def test_no_more_trials_begin_than_the_budget_has(trials: int) -> None:
    log = run(spec_of(budget={"trials": trials}, pruning={"race": "none"}))
    (event,) = spent_in(log)
    record = SweepRecord.of(log.events)
    assert (event.budget, event.reason) == ("trials", f"{trials} trials of {trials} have begun")
    assert len(record.trials) == record.searched == trials
    assert all(trial.outcome is Outcome.COMPLETED for trial in record.trials.values()), "those at work end by themselves"
    states = [configuration.state for configuration in record.configurations.values()]
    assert set(states) <= {"COMPLETE", "INCOMPLETE"}
    assert "INCOMPLETE" in states
    assert record.selection is not None


def test_a_budget_that_the_plan_does_not_need_says_nothing() -> None:
    budget = {"trials": 24, "wall_time": "1d", "training_time": 1000, "settled": True}
    assert spent_in(run(spec_of(budget=budget, pruning={"race": "none"}))) == []


def test_of_incomplete_configurations_the_best_is_named_and_confirmed() -> None:
    record = SweepRecord.of(run(spec_of(budget={"trials": 12}, confirm=2)).events)
    best = record.best_configuration()
    assert best is not None
    assert (best.name, best.n) == ("c005", 2)
    assert len(record.confirmations_of("c005")) == 2


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_resumed_sweep_keeps_to_its_budget(cut: int) -> None:
    spec = spec_of(budget={"trials": 10}, confirm=1)
    whole = run(spec)
    again = run(spec, past=whole.events[:cut])
    record = SweepRecord.of(again.events)
    assert record.searched == 10
    assert len(spent_in(again)) == 1
    assert record.open_configurations == set()
    assert len(fresh(again)) == len({(e.configuration, e.seed) for e in fresh(again)}) == 2


def test_training_ends_where_its_time_is_spent() -> None:
    record = SweepRecord.of(run(spec_of(budget={"training_time": 30})).events)
    assert record.budget_spent is not None
    assert record.budget_spent.reason.endswith("of 30 s were spent on training")
    assert 30 <= record.train_seconds <= 40, "what was at work then has ended"


def test_a_settled_race_ends_the_search() -> None:
    settings: dict[str, Any] = {"seeds": 10, "pruning": {"control_share": 0.0, "race": {"alpha": 0.5}}}
    whole, settled = run(spec_of(**settings)), run(spec_of(**settings, budget={"settled": True}))
    record = SweepRecord.of(settled.events)
    assert record.budget_spent is not None
    assert record.budget_spent.reason == "all configurations but one have lost"
    assert record.searched < SweepRecord.of(whole.events).searched
    best = record.best_configuration()
    assert best is not None
    assert best.name == "c005"
    assert best.n < 10


def test_wall_time_is_of_all_drivers_together() -> None:
    record = SweepRecord.of(
        [
            ev.SweepStarted(
                sweep_id="s-1", name="s", spec_digest="d", task="t", metric="m", models={"tiny": 6}, objective="mean",
                score="final", seeds=[0], configurations=1, trivial_score=0.0, slots=1, versions={}, time=1000.0,
            ),
            ev.SweepEnded(status="interrupted", wall_seconds=100.0, time=1100.0),
            ev.SweepResumed(slots=1, time=5000.0),
        ]
    )  # fmt: skip
    budget = BudgetSpec.model_validate({"wall_time": "3m"})
    assert spent_budget(budget, record, now=5079.0, is_settled=False) is None
    event = spent_budget(budget, record, now=5080.0, is_settled=False)
    assert event is not None
    assert event.reason == "3 min of 3 min have passed"

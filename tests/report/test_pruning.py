"""What pruning saved, and how its control group did."""

from __future__ import annotations

import math

from hypothesis import given, settings

from blurb_tune.core.trial import Outcome
from blurb_tune.report.pruning import PruningResult, RuleResult, judge_pruning
from tests.report.sweeps import SweepWriter, small_sweep, sweeps


def test_the_balance_of_the_small_sweep() -> None:
    """Planned: 8 ended trials of 4 epochs and 2 of 2. Stopped: one after 2 of 4 epochs, one after 3 of 4."""
    assert judge_pruning(small_sweep().record) == PruningResult(
        **{"epochs_run": 31.0, "epochs_planned": 36, "epochs_saved": 3.0, "stopped": 2},
        **{"spared": 2, "spared_ended": 2, "spared_completed": 1},
        rules=(RuleResult("median", 1, 0, 0), RuleResult("stuck", 1, 2, 1)),
    )


def test_the_share_is_of_the_planned_epochs() -> None:
    assert judge_pruning(small_sweep().record).saved_share == 3 / 36
    assert math.isnan(judge_pruning(SweepWriter().record).saved_share)


def test_a_run_stopped_because_it_diverged_saves_epochs_when_a_decision_stopped_it() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1)
    sweep.configuration("c0", epochs=10)
    sweep.trial("c0", 0, [0.1, 0.1], Outcome.DIVERGED, rule="non_finite_loss")
    sweep.trial("c0", 1, [0.1, 0.1, 0.1], Outcome.DIVERGED)
    result = judge_pruning(sweep.record)
    assert (result.epochs_saved, result.stopped, result.epochs_run) == (8.0, 1, 5.0)
    assert result.rules == (RuleResult("non_finite_loss", 1, 0, 0),)


def test_errored_and_running_trials_neither_run_nor_save_epochs() -> None:
    sweep = SweepWriter(seeds=(0, 1, 2), configurations=1)
    sweep.configuration("c0", epochs=10)
    sweep.trial("c0", 0, [0.1], Outcome.ERRORED)
    sweep.trial("c0", 1, [0.1], Outcome.ERRORED, retry=True)
    sweep.measure(sweep.start("c0", 2), 1, 0.1)
    assert judge_pruning(sweep.record) == PruningResult(0, 0, 0, 0, 0, 0, 0, ())


def test_a_control_trial_that_still_runs_has_not_ended_well() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    sweep.configuration("c0", epochs=10)
    trial = sweep.start("c0", 0)
    sweep.measure(trial, 1, 0.1)
    sweep.want_pruned(trial, "stuck", Outcome.PRUNED_UNSTABLE, spared=True)
    result = judge_pruning(sweep.record)
    assert (result.spared, result.spared_ended, result.spared_completed) == (1, 0, 0)


@settings(max_examples=40, deadline=None)
@given(sweeps())
def test_what_was_run_and_what_was_saved_never_exceed_the_plan(sweep: SweepWriter) -> None:
    result = judge_pruning(sweep.record)
    assert result.epochs_run + result.epochs_saved <= result.epochs_planned
    assert result.spared_completed <= result.spared_ended <= result.spared
    assert sum(rule.stopped for rule in result.rules) >= result.stopped

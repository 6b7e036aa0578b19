"""What stopping saved, and how its control group did."""

from __future__ import annotations

import csv

from hypothesis import given, settings

from blurb_tune.core.trial import Outcome
from blurb_tune.report.result_files import trials_csv
from blurb_tune.report.stopping_audit import PruningResult, RuleResult, judge_pruning
from blurb_tune.stats.intervals import wilson_interval
from tests.report.sweeps import SweepWriter, small_sweep, sweeps


def rule(what: str, name: str, stopped: int, spared: int, judged: int, wrong: int) -> RuleResult:
    return RuleResult(what, name, stopped, spared, judged, wrong, wilson_interval(wrong, judged))


def test_the_balance_of_the_small_sweep() -> None:
    """Planned: 8 ended trials of 4 epochs and 2 of 2; 31 epochs were run."""
    assert judge_pruning(small_sweep().record) == PruningResult(
        **{"epochs_run": 31.0, "epochs_planned": 36, "stopped_runs": 2, "stopped_configurations": 0, "reopened": 0},
        rules=(rule("run", "stuck", 1, 2, 2, 1), rule("run", "median", 1, 0, 0, 0)),
    )


def test_the_share_is_of_the_planned_epochs() -> None:
    assert judge_pruning(small_sweep().record).saved_share == 5 / 36
    assert judge_pruning(SweepWriter().record).saved_share is None


def test_a_run_stopped_because_it_diverged_saves_epochs() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1)
    sweep.configuration("c0", epochs=10)
    sweep.trial("c0", 0, [0.1, 0.1], Outcome.DIVERGED, rule="non_finite_loss")
    sweep.trial("c0", 1, [0.1, 0.1, 0.1], Outcome.DIVERGED)
    result = judge_pruning(sweep.record)
    assert (result.epochs_saved, result.stopped_runs, result.epochs_run) == (15.0, 1, 5.0)
    assert result.rules == (rule("run", "non_finite_loss", 1, 0, 0, 0),)


def test_what_early_stopping_leaves_out_no_rule_has_saved() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1, score="best")
    sweep.configuration("c0", epochs=10)
    sweep.trial("c0", 0, [0.3, 0.2, 0.1], stopped_early=True)
    sweep.trial("c0", 1, [0.1] * 10)
    result = judge_pruning(sweep.record)
    assert (result.epochs_planned, result.epochs_run, result.epochs_saved) == (13.0, 13.0, 0.0)
    (early, whole) = csv.DictReader(trials_csv(sweep.record).splitlines())
    assert [row["stopped_early"] for row in (early, whole)] == ["true", "false"]
    assert (early["outcome"], early["dev_score"], early["epochs"]) == ("completed", "0.3", "3.0")


def test_errored_and_running_trials_neither_run_nor_save_epochs() -> None:
    sweep = SweepWriter(seeds=(0, 1, 2), configurations=1)
    sweep.configuration("c0", epochs=10)
    sweep.trial("c0", 0, [0.1], Outcome.ERRORED)
    sweep.trial("c0", 1, [0.1], Outcome.ERRORED, retry=True)
    sweep.measure(sweep.start("c0", 2), 1, 0.1)
    assert judge_pruning(sweep.record) == PruningResult(0.0, 0, 0, 0, 0, ())


def test_a_control_trial_that_still_runs_is_not_judged() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    sweep.configuration("c0", epochs=10)
    trial = sweep.start("c0", 0)
    sweep.measure(trial, 1, 0.1)
    sweep.want_pruned(trial, "stuck", Outcome.PRUNED_UNSTABLE, spared=True)
    assert judge_pruning(sweep.record).rules == (rule("run", "stuck", 0, 1, 0, 0),)


def raced(last: float) -> SweepWriter:
    """c0 wins with 0.6; c1 is stopped after one of four seeds; c2 is spared, and all of its seeds end with `last`."""
    sweep = SweepWriter(seeds=range(4), configurations=3)
    for name, depth in (("c0", 0), ("c1", 1), ("c2", 2)):
        sweep.configuration(name, freeze_depth=depth, epochs=5)
    for name in ("c0", "c1", "c2"):
        sweep.trial(name, 0, [0.1, 0.2, 0.3, 0.4, 0.6 if name == "c0" else 0.2])
    sweep.stop_configuration("c1")
    sweep.stop_configuration("c2", spared=True)
    sweep.end_configuration("c1", "STOPPED")
    for name, score in (("c0", 0.6), ("c2", last)):
        for seed in (1, 2, 3):
            sweep.trial(name, seed, [0.1, 0.2, 0.3, 0.4, score])
        sweep.end_configuration(name)
    return sweep


def test_replicates_that_a_stopped_configuration_did_without_are_saved() -> None:
    result = judge_pruning(raced(0.3).record)
    assert (result.epochs_planned, result.epochs_run, result.stopped_configurations) == (60, 45.0, 1)


def test_the_question_to_a_spared_configuration_is_whether_it_won() -> None:
    assert judge_pruning(raced(0.3).record).rules == (rule("configuration", "race", 1, 1, 1, 0),)
    steady = raced(0.7)  # a better mean with one bad seed: by mean and spread c0 wins
    assert judge_pruning(steady.record).rules[0].wrong == 0


def test_a_spared_configuration_that_wins_was_wrongly_to_be_stopped() -> None:
    sweep = SweepWriter(seeds=range(2), configurations=2)
    for name, depth in (("c0", 0), ("c1", 1)):
        sweep.configuration(name, freeze_depth=depth, epochs=1)
    sweep.trial("c0", 0, [0.6])
    sweep.trial("c1", 0, [0.5])
    sweep.stop_configuration("c1", spared=True)
    sweep.trial("c0", 1, [0.1])
    sweep.trial("c1", 1, [0.5])
    for name in ("c0", "c1"):
        sweep.end_configuration(name)
    assert judge_pruning(sweep.record).rules == (rule("configuration", "race", 0, 1, 1, 1),)


@settings(max_examples=40, deadline=None)
@given(sweeps())
def test_what_was_run_never_exceeds_the_plan(sweep: SweepWriter) -> None:
    result = judge_pruning(sweep.record)
    assert 0 <= result.epochs_saved <= result.epochs_planned
    for of in result.rules:
        assert 0 <= of.wrong <= of.judged <= of.spared
    assert sum(of.stopped for of in result.rules if of.what == "run") == result.stopped_runs

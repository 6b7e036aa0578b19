"""What a record keeps up to date with each event, beside the same computed from scratch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given, settings

from blurb_tune.core.seeds import derive_share
from blurb_tune.core.trial import Outcome, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.simulator import MemoryLog, simulate
from blurb_tune.sweep.sweep import Sweep
from tests.report.sweeps import SweepWriter, sweeps
from tests.sweep.simulation import FACTS, make_spec, report


def check(record: SweepRecord) -> None:
    final = [trial for trial in record.trials.values() if trial.is_final]
    outcomes = [trial.outcome for trial in final]
    assert record.outcome_counts() == {str(outcome): outcomes.count(outcome) for outcome in Outcome}
    open_ones = [name for name, configuration in record.configurations.items() if configuration.state is None]
    assert sorted(record.open_configurations) == open_ones
    ended = record.configurations.keys() - open_ones
    assert record.trials_of_ended_configurations == sum(t.configuration_id in ended for t in record.trials.values())
    took = [t.ended - t.started for t in final if t.ended is not None and t.outcome is not Outcome.ERRORED]
    assert record.seconds_of_ended_trials() == (pytest.approx(sum(took)), len(took))
    for name in record.configurations:
        assert repr(record.result_of(name)) == repr(record.group(name, record.trials_of(name))), "one NaN is like another"
    names = sorted(ended)
    best = record.best_of(names)
    vanilla = [name for name in names if record.configurations[name].configuration.strategy.is_vanilla]
    models = {record.configurations[name].configuration.model for name in vanilla}
    references = [
        record.best_of([name for name in vanilla if record.configurations[name].configuration.model == model])
        for model in models
    ]
    assert record.leaders() == {result.name for result in (best, *references) if result is not None}
    assert (record.leader.name if record.leader else None) == (best.name if best else None)


@settings(max_examples=60, deadline=None)
@given(sweeps())
def test_what_is_kept_is_what_would_be_found_from_scratch(sweep: SweepWriter) -> None:
    record = SweepRecord()
    for event in sweep.events:
        record.apply(event)
        check(record)


@pytest.mark.parametrize("draw", range(8))
def test_so_it_is_in_sweeps_that_stop_reopen_and_retry(draw: int) -> None:
    def behave(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
        luck = partial(derive_share, draw, trial.trial_id)
        if luck("error", trial.attempt) < 0.1:
            yield 1.0, TrialReport(outcome=Outcome.ERRORED, reason="RuntimeError: x", error="trace")
            return
        level = 0.3 + 0.4 * derive_share(draw, trial.configuration_id) + 0.1 * luck("score")
        yield 1 + luck("time"), report(1, level / 2)
        yield 1.0, report(5, level, outcome=Outcome.COLLAPSED if luck("failure") < 0.15 else Outcome.COMPLETED)

    space = {"learning_rate": [round(1e-6 * (k + 1), 7) for k in range(10)], "freeze_depth": [0, 2], "epochs": 5}
    pruning = {"race": {"alpha": 0.5}, "pruner": "median" if draw % 2 else "none", "control_share": 0.3}
    spec = make_spec(space=space, seeds=5, retries=draw % 3, stop_after_errors=None, pruning=pruning)
    header = ev.SweepStarted(
        sweep_id="s-1", name="s", spec_digest=f"{draw}", task="t", metric="pearson", models={"tiny": 6},
        objective=spec.objective, score="final", seeds=spec.seeds, configurations=20, trivial_score=0.0, slots=3, versions={},
        max_failed_share=draw % 4 / 5,
    )  # fmt: skip
    log = MemoryLog([header])
    simulate(Sweep(spec, FACTS, log, log.events), behave, slots=3)
    record = SweepRecord()
    for event in log.events:
        record.apply(event)
        check(record)
    assert any(isinstance(event, ev.ConfigurationStopped) for event in log.events)


def test_of_equals_that_end_in_any_order_the_first_suggested_leads() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=3)
    for name in ("c000", "c001", "c002"):
        sweep.configuration(name, freeze_depth=2)
    for name in ("c002", "c000", "c001"):
        sweep.trial(name, 0, [0.5])
        sweep.end_configuration(name)
    check(sweep.record)
    assert sweep.record.leaders() == {"c000"}

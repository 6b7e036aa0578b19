"""What runs next, and what is stopped, in sweeps on simulated time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from blurb_tune.core.seeds import derive_share
from blurb_tune.core.trial import Outcome, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.simulator import MemoryLog, simulate
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.sweep.sweep import Sweep
from tests.sweep.simulation import FACTS, report

# Levels of twelve configurations by learning rate, far enough apart for the race to tell some from the best.
RATES = [round(1e-5 * (k + 1), 7) for k in range(12)]


def spec_of(sampler: str = "grid", seeds: int = 8, **pruning: Any) -> SweepSpec:
    return SweepSpec.model_validate(
        {
            "name": "s", "task": "demo", "model": "tiny", "seeds": seeds, "space": {"learning_rate": RATES, "epochs": 5},
            "search": {"sampler": sampler, "configurations": 12}, "pruning": pruning,
        }
    )  # fmt: skip


def behave(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
    """The higher the rate, the better; seeds spread a little, and take different times."""
    level = 0.3 + 0.04 * RATES.index(round(trial.configuration.learning_rate, 7))
    score = level + 0.05 * derive_share(trial.seed, trial.configuration_id, "luck")
    yield 1 + derive_share(trial.seed, trial.configuration_id, "time"), report(1, score)
    yield 1.0, report(5, score, outcome=Outcome.COMPLETED)


def run(spec: SweepSpec, slots: int = 1, digest: str = "d", replicates: int = 1) -> MemoryLog:
    header = ev.SweepStarted(
        sweep_id="s-1", name="s", spec_digest=digest, task="t", metric="pearson", models={"tiny": 6}, objective="mean",
        score="final", seeds=spec.seeds, configurations=12, trivial_score=0.0, slots=slots, versions={},
    )  # fmt: skip
    log = MemoryLog([header])
    sweep = Sweep(spec, FACTS, log, log.events)
    simulate(sweep, behave, slots=slots, replicates=replicates)
    assert sweep.is_finished
    return log


def started(log: MemoryLog) -> list[ev.TrialStarted]:
    return [event for event in log.events if isinstance(event, ev.TrialStarted)]


@pytest.mark.parametrize("slots", [1, 4])
def test_on_a_grid_each_seed_is_begun_with_all_configurations_before_the_next_one_is(slots: int) -> None:
    log = run(spec_of(), slots)
    seeds = [event.seed for event in started(log)]
    spared = {e.configuration for e in log.events if isinstance(e, ev.ConfigurationStopped) and e.spared}
    racing = [e.seed for e in started(log) if e.configuration not in spared]
    assert racing == sorted(racing)
    assert len(seeds) < 12 * 8, "some were stopped"


@pytest.mark.parametrize("slots", [1, 3])
def test_where_results_guide_the_sampler_open_configurations_are_finished_before_new_ones_begin(slots: int) -> None:
    log = run(spec_of("tpe", race="none"), slots)
    begun: Counter[str] = Counter()
    for event in log.events:
        if isinstance(event, ev.TrialStarted):
            begun[event.configuration] += 1
        elif isinstance(event, ev.ConfigurationSuggested):
            assert all(count == 8 for count in begun.values()), "all seeds of the others have been begun"


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_whoever_leads_has_at_least_as_many_replicates_as_any_challenger(sampler: str) -> None:
    log, record = run(spec_of(sampler, control_share=0.0)), SweepRecord()
    for event in log.events:
        record.apply(event)
        if isinstance(event, ev.ConfigurationStopped):
            live = [r for r in record.by_configuration() if not record.configurations[r.name].is_out and r.n]
            leader = max(live, key=lambda r: r.summary.mean)
            assert leader.n >= event.replicates


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
@pytest.mark.parametrize("slots", [2, 5, 40])
def test_no_slot_idles_while_something_is_left_to_run(sampler: str, slots: int) -> None:
    log = run(spec_of(sampler, control_share=0.0), slots)
    total = len(started(log))
    begun = running = 0
    for event, after in zip(log.events, [*log.events[1:], None], strict=True):
        if isinstance(event, ev.TrialStarted):
            begun, running = begun + 1, running + 1
        elif isinstance(event, ev.TrialEnded):
            running -= 1
            if isinstance(after, ev.Measured):  # the next thing that happens is that time goes on
                assert running == slots or begun == total


def test_the_winner_is_the_best_and_whole_and_the_worst_do_not_run_all_their_seeds() -> None:
    log = run(spec_of())
    record = SweepRecord.of(log.events)
    best = record.best_configuration()
    assert best is not None
    assert record.configurations[best.name].configuration.learning_rate == RATES[-1]
    assert best.n == 8
    stopped = {e.configuration: e for e in log.events if isinstance(e, ev.ConfigurationStopped)}
    assert len(stopped) >= 6
    assert all(record.result_of(name).n == event.replicates for name, event in stopped.items() if not event.spared)


def test_a_share_of_what_is_stopped_goes_on_when_all_else_has_been_begun() -> None:
    stops = spared = 0
    for number in range(30):
        log = run(spec_of(control_share=0.2), digest=str(number))
        record = SweepRecord.of(log.events)
        events = [event for event in log.events if isinstance(event, ev.ConfigurationStopped)]
        stops, group = stops + len(events), {event.configuration for event in events if event.spared}
        spared += len(group)
        assert all(record.result_of(name).n == 8 for name in group)
        order = [e.configuration in group for e in started(log) if e.seed > max(x.replicates for x in events)]
        assert order == sorted(order), "the control group comes last"
    assert 0.1 < spared / stops < 0.3


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_work_of_several_replicates_runs_each_once_and_names_the_same_winner(sampler: str) -> None:
    """A backend that trains several seeds at a time costs a race some of its savings, and no result."""
    log = run(spec_of(sampler, control_share=0.0), slots=2, replicates=4)
    begun = [event.trial for event in started(log)]
    assert len(begun) == len(set(begun))
    record = SweepRecord.of(log.events)
    best = record.best_configuration()
    assert best is not None
    assert record.configurations[best.name].configuration.learning_rate == RATES[-1]
    first = [(event.configuration, event.seed) for event in started(log)[:8]]
    if sampler == "grid":
        assert first == [
            ("c000", 0),
            ("c000", 1),
            ("c000", 2),
            ("c000", 3),
            ("c001", 0),
            ("c001", 1),
            ("c001", 2),
            ("c001", 3),
        ]
        assert len(begun) < 12 * 8, "some were stopped"
    else:
        assert first == [("c000", seed) for seed in range(8)]


def beside_vanilla(**settings: Any) -> SweepSpec:
    """Vanilla, which is the worst by far, and three frozen depths."""
    return SweepSpec.model_validate(
        {"name": "s", "task": "demo", "model": "tiny", "seeds": 8, "space": {"freeze_depth": [0, 1, 2, 3], "epochs": 5},
         "search": {"sampler": "grid"}} | settings
    )  # fmt: skip


def behave_by_depth(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
    score = 0.3 + 0.15 * trial.configuration.freeze_depth + 0.02 * derive_share(trial.seed, trial.configuration_id, "luck")
    yield 1.0, report(5, score, outcome=Outcome.COMPLETED)


def run_by_depth(spec: SweepSpec, past: list[ev.Event] | None = None) -> tuple[MemoryLog, SweepRecord, str]:
    header = ev.SweepStarted(
        sweep_id="s-1", name="s", spec_digest="d", task="t", metric="pearson", models={"tiny": 6}, objective="mean",
        score="final", seeds=spec.seeds, configurations=4, trivial_score=0.0, slots=2, versions={},
        confirmation_seeds=list(range(1_000_000, 1_000_000 + spec.confirm)),
    )  # fmt: skip
    log = MemoryLog(past or [header])
    sweep = Sweep(spec, FACTS, log, log.events)
    simulate(sweep, behave_by_depth, slots=2)
    assert sweep.is_finished
    (vanilla,) = [c for c, of in sweep.record.configurations.items() if of.configuration.strategy.is_vanilla]
    return log, sweep.record, vanilla


def test_vanilla_has_all_its_seeds_in_the_end_since_the_winner_is_compared_with_it() -> None:
    log, record, vanilla = run_by_depth(beside_vanilla(pruning={"control_share": 0.0}))
    assert any(isinstance(e, ev.ConfigurationStopped) and e.configuration == vanilla for e in log.events)
    (reopened,) = [e for e in log.events if isinstance(e, ev.ConfigurationReopened)]
    assert (reopened.configuration, reopened.is_reference) == (vanilla, True)
    assert record.result_of(vanilla).n == 8
    assert not record.is_censored(vanilla)
    others = [c for c in record.configurations if c != vanilla and record.configurations[c].is_out]
    assert others, "whoever else has lost is out for good"
    best = record.best_configuration()
    assert best is not None
    assert record.configurations[best.name].configuration.freeze_depth == 3


@pytest.mark.parametrize(
    "settings", [{"confirm": 2}, {"pruning": {"control_share": 0.0, "keep_vanilla": False}}], ids=["fresh seeds", "not wanted"]
)
def test_vanilla_stays_stopped_where_fresh_seeds_compare_it_or_nobody_wants_it(settings: dict[str, Any]) -> None:
    _, record, vanilla = run_by_depth(beside_vanilla(**({"pruning": {"control_share": 0.0}} | settings)))
    assert record.result_of(vanilla).n < 8
    assert record.is_censored(vanilla)


def test_a_driver_that_dies_while_vanilla_goes_on_is_followed_by_one_that_does_the_same() -> None:
    spec = beside_vanilla(pruning={"control_share": 0.0})
    whole, _, _ = run_by_depth(spec)
    (begun,) = [i for i, e in enumerate(whole.events) if isinstance(e, ev.ConfigurationReopened)]
    for cut in range(begun, len(whole.events) + 1):
        log, record, vanilla = run_by_depth(spec, whole.events[:cut])
        assert record.result_of(vanilla).n == 8
        assert sum(isinstance(e, ev.ConfigurationReopened) for e in log.events) == 1

"""Fresh seeds of winner and vanilla when all is decided, on simulated time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from blurb_tune.core.seeds import confirmation_seeds, derive_share, more_seeds
from blurb_tune.core.trial import Outcome, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.simulator import LOST, MemoryLog, simulate
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.sweep.sweep import Sweep
from tests.sweep.simulation import FACTS, report

FREEZES = list(range(6))


def spec_of(**settings: Any) -> SweepSpec:
    return SweepSpec.model_validate(
        {
            "name": "s", "task": "demo", "model": "tiny", "seeds": 4, "space": {"freeze_depth": FREEZES, "epochs": 5},
            "search": {"sampler": "grid"}, **settings,
        }
    )  # fmt: skip


def header_of(spec: SweepSpec) -> ev.SweepStarted:
    return ev.SweepStarted(
        sweep_id="s-1", name="s", spec_digest="d", task="t", metric="pearson", models={"tiny": 6}, objective=spec.objective,
        score="final", seeds=spec.seeds, configurations=len(FREEZES), trivial_score=0.0, slots=1, versions={},
        confirmation_seeds=confirmation_seeds(spec.confirm, spec.seeds), max_failed_share=spec.max_failed_share,
    )  # fmt: skip


def behave(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
    """The more is frozen, the better; seeds spread a little."""
    score = 0.3 + 0.05 * trial.configuration.freeze_depth + 0.1 * derive_share(trial.seed, trial.configuration_id, "luck")
    yield 1.0, report(1, score)
    yield 1.0, report(5, score, outcome=Outcome.COMPLETED)


def run(spec: SweepSpec, *, past: list[ev.Event] | None = None, behavior: Any = behave, turns: int | None = None) -> MemoryLog:
    log = MemoryLog(past or [header_of(spec)])
    sweep = Sweep(spec, FACTS, log, list(log.events))
    simulate(sweep, behavior, slots=2, turns=turns)
    if turns is None:
        assert sweep.is_finished
        sweep.select()
    return log


def fresh(log: MemoryLog) -> list[ev.TrialStarted]:
    return [e for e in log.events if isinstance(e, ev.TrialStarted) and e.seed >= 1_000_000]


def timeless(event: ev.Event) -> ev.Event:
    return replace(event, time=0.0, **{"setup_seconds": 0.0} if isinstance(event, ev.TrialEnded) else {})


def test_winner_and_vanilla_run_fresh_seeds_after_the_winner_was_named() -> None:
    log = run(spec_of(confirm=3))
    record = SweepRecord.of(log.events)
    assert record.selection is not None
    named = log.events.index(record.selection)
    assert [(e.configuration, e.seed) for e in fresh(log)] == [
        (cid, seed) for cid in ("c005", "c000") for seed in (1_000_000, 1_000_001, 1_000_002)
    ]
    assert all(log.events.index(event) > named for event in fresh(log))
    assert record.label("c005") == "freeze 5"
    assert len(record.confirmations_of("c005")) == len(record.confirmations_of("c000")) == 3
    assert len(record.trials_of("c005")) == 4


# Without fresh seeds vanilla would go on in the end, to be compared with the winner.
ALONE = {"keep_vanilla": False}


def test_no_decision_and_no_objective_sees_them() -> None:
    """Though all of them fail, and there are more of them than others."""

    def failing(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
        if trial.seed >= 1_000_000:
            yield 1.0, report(5, 0.0, outcome=Outcome.COLLAPSED)
        else:
            yield from behave(trial)

    with_them, without = run(spec_of(confirm=9), behavior=failing), run(spec_of(pruning=ALONE))
    kept = [e for e in with_them.events if not (getattr(e, "trial", "").rpartition("-s")[2].startswith("1000"))]
    assert [timeless(event) for event in kept[1:]] == [timeless(event) for event in without.events[1:]]
    record, other = SweepRecord.of(with_them.events), SweepRecord.of(without.events)
    assert record.by_configuration() == other.by_configuration()
    assert record.best_configuration() == other.best_configuration()
    assert record.outcome_counts()["collapsed"] == 18


@pytest.mark.parametrize("cut", range(1, 90, 4))
def test_a_resumed_sweep_confirms_what_is_left(cut: int) -> None:
    spec = spec_of(confirm=3)
    whole = run(spec)
    again = run(spec, past=whole.events[:cut])
    assert sorted({(e.configuration, e.seed) for e in fresh(again)}) == sorted(
        {(e.configuration, e.seed) for e in fresh(whole)}
    )
    record = SweepRecord.of(again.events)
    assert all(t.outcome is Outcome.COMPLETED for name in ("c000", "c005") for t in record.confirmations_of(name))


def test_a_lost_confirmation_runs_again_and_one_of_a_stopped_vanilla_runs() -> None:
    """Vanilla, the worst, is beaten in the race, and is the reference all the same."""

    def lossy(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
        if trial.seed >= 1_000_000 and trial.attempt == 1:
            yield 1.0, LOST
        else:
            yield from behave(trial)

    spec = spec_of(confirm=2, seeds=8, pruning={"control_share": 0.0})
    log = run(spec, behavior=lossy)
    record = SweepRecord.of(log.events)
    assert record.configurations["c000"].is_out
    assert record.selection is not None
    assert record.selection.reference == "c000"
    assert [t.outcome for t in record.confirmations_of("c000")] == [Outcome.COMPLETED] * 2
    assert [t.attempt for t in record.confirmations_of("c005")] == [2, 2]


def test_confirmation_seeds_are_out_of_the_way_of_others() -> None:
    assert confirmation_seeds(2, [0, 1, 1_000_000]) == [1_000_001, 1_000_002]
    assert more_seeds([0, 1, 2], 5) == [0, 1, 2, 3, 4]
    assert more_seeds([3, 0], 5, taken=[1]) == [3, 0, 2, 4, 5]
    assert more_seeds([7, 8, 9], 2) == [7, 8, 9]


def test_a_winner_most_of_whose_runs_failed_is_none() -> None:
    def failing(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
        fails = trial.seed != 0 or trial.configuration.freeze_depth < 3
        yield 1.0, report(5, 0.0 if fails else 0.6, outcome=Outcome.COLLAPSED if fails else Outcome.COMPLETED)

    spec = spec_of(confirm=3)
    log = run(spec, behavior=failing)
    record = SweepRecord.of(log.events)
    assert record.selection is None
    assert record.no_result is not None
    assert record.no_result.reason == "3 of 4 runs of the best configuration, c003, failed"
    assert fresh(log) == []


def test_half_of_the_runs_may_fail() -> None:
    def failing(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
        fails = trial.seed > 1 or trial.configuration.freeze_depth < 3
        yield 1.0, report(5, 0.0 if fails else 0.6, outcome=Outcome.COLLAPSED if fails else Outcome.COMPLETED)

    record = SweepRecord.of(run(spec_of(), behavior=failing).events)
    assert record.no_result is None
    assert record.selection is not None

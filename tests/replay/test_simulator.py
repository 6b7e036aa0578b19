from __future__ import annotations

from collections.abc import Iterator

import pytest

from blurb_tune.core.trial import Outcome, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.replay.simulator import LOST, MemoryLog, simulate
from blurb_tune.sweep.sweep import Sweep
from tests.sweep.simulation import FACTS, make_spec, report


def run(behave: object, *, slots: int, replicates: int = 1, **settings: object) -> tuple[Sweep, float]:
    spec = make_spec(**settings)
    log = MemoryLog(
        [
            ev.SweepStarted(
                sweep_id="s-1", name="s", spec_digest="d", task="t", metric="pearson", models={"tiny": 6}, objective="mean",
                score="final", seeds=spec.seeds, configurations=4, trivial_score=0.0, slots=slots, versions={},
            )
        ]
    )  # fmt: skip
    sweep = Sweep(spec, FACTS, log, log.events)
    return sweep, simulate(sweep, behave, slots=slots, replicates=replicates)  # type: ignore[arg-type]


def ten_seconds(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
    yield 4.0, report(1, 0.5)
    yield 6.0, report(5, 0.7, outcome=Outcome.COMPLETED)


@pytest.mark.parametrize(("slots", "seconds"), [(1, 120.0), (2, 60.0), (5, 30.0), (12, 10.0), (50, 10.0)])
def test_twelve_trials_of_ten_seconds_keep_all_slots_busy(slots: int, seconds: float) -> None:
    sweep, took = run(ten_seconds, slots=slots)
    assert sweep.is_finished
    assert sweep.record.outcome_counts()["completed"] == 12
    assert took == seconds


@pytest.mark.parametrize(("replicates", "seconds"), [(1, 60.0), (2, 40.0), (3, 20.0), (10, 20.0)])
def test_replicates_of_a_configuration_run_side_by_side_on_a_slot(replicates: int, seconds: float) -> None:
    """Four configurations with three seeds each on two slots."""
    sweep, took = run(ten_seconds, slots=2, replicates=replicates)
    assert sweep.is_finished
    assert sweep.record.outcome_counts()["completed"] == 12
    assert took == seconds


def test_a_slot_is_free_when_the_last_replicate_of_its_work_has_ended() -> None:
    def behave(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
        yield 1.0 if trial.seed == 0 else 10.0, report(5, 0.7, outcome=Outcome.COMPLETED)

    _, took = run(behave, slots=1, replicates=3)
    assert took == 40.0


def test_the_clock_decides_who_reports_first() -> None:
    heard: list[str] = []

    def behave(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
        number = int(trial.configuration_id[1:])
        yield 10.0 - number, report(5, 0.5, outcome=Outcome.COMPLETED)
        heard.append(trial.trial_id)

    sweep, _ = run(behave, slots=4, seeds=1)
    ends = sorted(sweep.record.trials.values(), key=lambda t: t.ended or 0.0)
    assert [t.configuration_id for t in ends] == ["c003", "c002", "c001", "c000"]


def test_a_process_can_be_lost() -> None:
    def behave(trial: TrialConfig) -> Iterator[tuple[float, TrialReport]]:
        if trial.attempt == 1:
            yield 1.0, LOST
        yield from ten_seconds(trial)

    sweep, _ = run(behave, slots=2, retries=0)
    assert {t.attempt for t in sweep.record.trials.values()} == {2}
    assert sweep.record.outcome_counts()["completed"] == 12

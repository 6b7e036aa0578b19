from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import Any

import pytest

from blurb_tune.core.trial import Configuration, Measurement, Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.lines import from_line, to_line
from blurb_tune.log.record import SweepRecord

TRIVIAL = 0.05


def started(score: str = "final", objective: str = "mean", max_failed_share: float = 0.0) -> ev.SweepStarted:
    return ev.SweepStarted(
        sweep_id="s-1", name="s", spec_digest="d", task="demo", metric="pearson", models={"tiny": 4}, objective=objective,
        score=score, seeds=[0, 1], configurations=2, trivial_score=TRIVIAL, slots=2, versions={}, time=100.0,
        max_failed_share=max_failed_share,
    )  # fmt: skip


def suggested(name: str, **values: Any) -> ev.ConfigurationSuggested:
    return ev.ConfigurationSuggested(configuration=name, parameters={}, values=asdict(Configuration(**values)), time=100.0)


def trial(
    name: str, seed: int, scores: list[float], outcome: Outcome | None, *, attempt: int = 1, retry: bool = False
) -> list[ev.Event]:
    trial_id = f"{name}-s{seed}"
    events: list[ev.Event] = [ev.TrialStarted(trial=trial_id, configuration=name, seed=seed, attempt=attempt, time=101.0)]
    for index, score in enumerate(scores, start=1):
        measurement = Measurement(index, float(index), score, 1.0, 1.0, 1.0, 0.5, 1e-5, 2.0 * index, 0.5 * index)
        events.append(ev.Measured(trial=trial_id, measurement=measurement, time=101.0 + index))
    if outcome is not None:
        events.append(ev.TrialEnded(trial=trial_id, attempt=attempt, outcome=outcome, retry=retry, time=110.0))
    return events


@pytest.mark.parametrize(
    ("outcome", "scores", "score", "expected"),
    [
        (Outcome.COMPLETED, [0.2, 0.6, 0.4], "final", 0.4),
        (Outcome.COMPLETED, [0.2, 0.6, 0.4], "best", 0.6),
        (Outcome.COLLAPSED, [0.3, -0.2], "final", -0.2),
        (Outcome.COLLAPSED, [0.3, math.nan], "final", TRIVIAL),
        (Outcome.COLLAPSED, [math.nan, math.nan], "best", TRIVIAL),
        (Outcome.DIVERGED, [0.8, math.nan], "best", TRIVIAL),
        (Outcome.PRUNED_UNSTABLE, [0.3, 0.1], "final", 0.1),
        (Outcome.PRUNED_UNSTABLE, [0.3, 0.1], "best", 0.1),
        (Outcome.PRUNED_UNSTABLE, [0.3, math.nan], "final", TRIVIAL),
        (Outcome.PRUNED_UNDERPERFORMING, [0.8], "final", None),
        (Outcome.ERRORED, [0.8], "final", None),
        (None, [0.8], "final", None),
    ],
)
def test_the_number_a_trial_counts_with(
    outcome: Outcome | None, scores: list[float], score: str, expected: float | None
) -> None:
    record = SweepRecord.of([started(score), suggested("c000"), *trial("c000", 0, scores, outcome)])
    assert record.score(record.trials["c000-s0"]) == expected


def test_underperforming_and_errored_runs_enter_no_mean_and_failed_ones_do() -> None:
    outcomes = [
        (0, [0.6], Outcome.COMPLETED),
        (1, [0.9], Outcome.PRUNED_UNDERPERFORMING),
        (2, [0.9], Outcome.ERRORED),
        (3, [0.2], Outcome.PRUNED_UNSTABLE),
        (4, [-0.1], Outcome.COLLAPSED),
        (5, [0.9], None),
    ]
    record = SweepRecord.of([started(), suggested("c000"), *(e for seed, s, o in outcomes for e in trial("c000", seed, s, o))])
    (result,) = record.by_configuration()
    assert result.summary.mean == pytest.approx((0.6 + 0.2 - 0.1) / 3)
    assert (result.n, result.completed, result.failed, result.pruned_unstable) == (3, 1, 2, 1)
    assert (result.underperforming, result.errored) == (1, 1)
    assert result.failed_share == pytest.approx(2 / 4), "of all that ended but the errored one"
    assert record.outcome_counts() == {
        "completed": 1, "collapsed": 1, "diverged": 0, "pruned_unstable": 1, "pruned_underperforming": 1, "errored": 1,
    }  # fmt: skip


def test_the_best_configuration_has_a_result_for_every_seed() -> None:
    events = [started(), suggested("c000"), suggested("c001", freeze_depth=2)]
    events += trial("c000", 0, [0.5], Outcome.COMPLETED) + trial("c000", 1, [0.5], Outcome.COMPLETED)
    censored = trial("c001", 0, [0.9], Outcome.COMPLETED) + trial("c001", 1, [0.1], Outcome.PRUNED_UNDERPERFORMING)
    best = SweepRecord.of([*events, *censored]).best_configuration()
    assert best is not None
    assert best.name == "c000"
    only = SweepRecord.of([events[0], events[2], *censored]).best_configuration()
    assert only is not None
    assert only.name == "c001"
    assert SweepRecord.of(events[:1]).best_configuration() is None


def sweep_with_failed_runs(max_failed_share: float, *failed: tuple[int, float]) -> SweepRecord:
    """Four seeds of each configuration, of which so many failed with a score of 0; the others have the score beside it."""
    first = replace(started("final", "mean_minus_std", max_failed_share), seeds=[0, 1, 2, 3])
    events: list[ev.Event] = [first]
    for index, (count, score) in enumerate(failed):
        name = f"c{index:03d}"
        events.append(suggested(name))
        for seed in range(4):
            is_failed = seed < count
            outcome = Outcome.COLLAPSED if is_failed else Outcome.COMPLETED
            events += trial(name, seed, [0.0 if is_failed else score], outcome)
        events.append(ev.ConfigurationEnded(configuration=name, state="COMPLETE", value=0.0, failed_share=count / 4))
    return SweepRecord.of(events)


@pytest.mark.parametrize(
    ("limit", "failed", "winner"),
    [
        (0.0, [(4, 0.0), (2, 0.5)], "c001"),  # all failed alike: mean 0, std 0, and so a higher objective
        (0.0, [(1, 0.9), (0, 0.3)], "c001"),
        (0.25, [(1, 0.9), (0, 0.2)], "c000"),  # within the limit the objective decides
        (0.25, [(3, 0.9), (2, 0.1)], "c001"),  # above it, the least excess
        (0.25, [(2, 0.6), (2, 0.9), (2, 0.7)], "c000"),  # and of equals the objective: a high score spreads more here
        (1.0, [(4, 0.0), (2, 0.5)], "c000"),
    ],
)
def test_runs_that_failed_come_before_the_objective(limit: float, failed: list[tuple[int, float]], winner: str) -> None:
    record = sweep_with_failed_runs(limit, *failed)
    best = record.best_configuration()
    assert best is not None
    assert best.name == winner
    assert record.leaders() == {winner}
    assert [result.name for result in record.references().values()] == [winner]


def test_a_log_from_before_the_limit_was_in_it_puts_up_with_no_failed_run() -> None:
    line = json.loads(to_line(started(max_failed_share=0.5)))
    del line["max_failed_share"], line["crc"]
    old = from_line(json.dumps(line))
    assert isinstance(old, ev.SweepStarted)
    assert old.max_failed_share == 0.0


def test_a_new_attempt_starts_from_nothing_and_its_lost_seconds_are_kept() -> None:
    first = trial("c000", 0, [0.1, 0.2], Outcome.ERRORED, retry=True)
    record = SweepRecord.of([started(), suggested("c000"), *first])
    assert record.trials["c000-s0"].is_final is False
    for event in trial("c000", 0, [0.7], Outcome.COMPLETED, attempt=2):
        record.apply(event)
    again = record.trials["c000-s0"]
    assert (again.attempt, again.final_score, len(again.measurements)) == (2, 0.7, 1)
    assert record.train_seconds == pytest.approx(5.0 + 2.5)


def test_wall_seconds_add_up_over_drivers_also_over_one_that_died() -> None:
    record = SweepRecord.of([started(), ev.SweepEnded(status="interrupted", wall_seconds=7.0, time=107.0)])
    assert (record.status, record.wall_seconds) == ("interrupted", 7.0)
    record.apply(ev.SweepResumed(slots=2, time=500.0))
    record.apply(suggested("c"))
    record.apply(ev.TrialStarted(trial="t", configuration="c", seed=0, attempt=1, time=503.0))
    record.apply(ev.SweepResumed(slots=2, time=900.0))
    assert (record.status, record.wall_seconds) == ("running", 10.0)
    record.apply(ev.SweepEnded(status="finished", wall_seconds=2.0, time=902.0))
    assert (record.status, record.wall_seconds) == ("finished", 12.0)


def test_an_empty_log_has_no_header() -> None:
    with pytest.raises(LookupError):
        _ = SweepRecord().header


def test_the_folds_of_a_seed_are_averaged_first() -> None:
    """Over all runs the standard deviation is 0.06, over the seeds 0.005."""
    events: list[ev.Event] = [replace(started(), folds=2), suggested("c000")]
    for seed, shift in ((0, 0.0), (1, 0.00707)):
        for fold, score in enumerate((0.448, 0.552)):
            name = f"c000-s{seed}-f{fold}"
            for event in trial("c000", seed, [score + shift], Outcome.COMPLETED):
                changes = {"trial": name} | ({"fold": fold} if isinstance(event, ev.TrialStarted) else {})
                events.append(replace(event, **changes))
    record = SweepRecord.of(events)
    result = record.result_of("c000")
    assert (result.n, result.completed) == (2, 4)
    assert result.summary.std == pytest.approx(0.005, abs=1e-5)
    assert record.seed_scores(record.trials.values()) == {"c000": pytest.approx({0: 0.5, 1: 0.50707})}
    without_last = SweepRecord.of(events[:-3])
    assert (without_last.result_of("c000").n, without_last.result_of("c000").completed) == (1, 3), "a fold is missing"

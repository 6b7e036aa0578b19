"""Slots over time: which attempt ran when and where, what is cut out, what stopping saved."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings

from blurb_tune.core.trial import Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.figures import timeline
from blurb_tune.report.figures.figure import Figure
from blurb_tune.report.figures.timeline import timeline_figure
from blurb_tune.report.figures.timeline_spans import clock_of, saved_seconds, spans_of
from tests.report.figures.drawn import of_class, points, trials, words
from tests.report.sweeps import START, SweepWriter, small_sweep, sweeps


def at_times(*spans: tuple[str, float, float, str]) -> SweepRecord:
    """Trials of one configuration: worker, start and end in seconds, outcome. Each has measured all that it trained."""
    sweep = SweepWriter(seeds=range(len(spans)), configurations=1)
    sweep.configuration("c0", epochs=4)
    moments: list[tuple[float, ev.Event]] = []
    for seed, (worker, start, end, outcome) in enumerate(spans):
        trial = f"c0-s{seed}"
        moments.append((start, ev.TrialStarted(trial=trial, configuration="c0", seed=seed, attempt=1)))
        if outcome == "completed":
            measured = small_sweep().record.trials["c0-s0"].measurements[0]
            moments.append(
                (
                    end,
                    ev.Measured(
                        trial=trial, measurement=replace(measured, train_seconds=(end - start) * 0.9, eval_seconds=0.0)
                    ),
                )
            )
        moments.append((end, ev.TrialEnded(trial=trial, attempt=1, outcome=outcome, worker=worker)))
    moments.sort(key=lambda moment: moment[0])
    events = [replace(event, time=START) for event in sweep.events]
    return SweepRecord.of([*events, *(replace(event, time=START + at) for at, event in moments)])


def drawn(record: SweepRecord) -> Figure:
    figure = timeline_figure(record)
    assert figure is not None
    return figure


@settings(max_examples=50)
@given(sweeps())
def test_no_two_attempts_are_on_a_slot_at_once_and_each_is_there(sweep: SweepWriter) -> None:
    record = sweep.record
    spans = spans_of(record)
    assert len(spans) == sum(1 + len(trial.earlier) for trial in record.trials.values())
    assert len({(span.trial.trial_id, span.attempt) for span in spans}) == len(spans)
    for slot in {span.slot for span in spans}:
        of = [span for span in spans if span.slot == slot]
        assert all(a.ended <= b.started + 1e-6 for a, b in itertools.pairwise(of))
    figure = timeline_figure(record)
    if figure is not None:
        assert set(trials(figure)) == set(record.trials)


def test_bars_are_as_long_as_their_trials_on_the_slot_of_their_worker() -> None:
    record = at_times(
        ("a", 0, 40, "completed"), ("b", 0, 30, "completed"), ("b", 30, 60, "collapsed"), ("a", 40, 100, "completed")
    )
    figure = drawn(record)
    bars = {
        name: (float(e.get("x") or 0), float(e.get("width") or 0), float(e.get("y") or 0))
        for name, e in trials(figure).items()
    }
    unit = (bars["c0-s3"][0] - bars["c0-s0"][0]) / 40
    assert [bars[f"c0-s{seed}"][1] + 0.6 for seed in range(4)] == pytest.approx(
        [40 * unit, 30 * unit, 30 * unit, 60 * unit], abs=0.2
    )
    assert bars["c0-s0"][2] == bars["c0-s3"][2] != bars["c0-s1"][2]
    assert {"slot 1", "slot 2"} <= set(words(figure))
    heights = {name: float(e.get("height") or 0) for name, e in trials(figure).items()}
    assert heights["c0-s2"] < heights["c0-s1"]  # a failed one differs in shape, too
    assert "on 2 slots, which were at work 80 % of the time" in figure.alt


def test_a_time_in_which_nothing_ran_is_cut_out() -> None:
    record = at_times(("a", 0, 50, "completed"), ("a", 36_000, 36_050, "completed"))
    clock = clock_of(spans_of(record), 0.0, 116.0)
    assert clock.pauses == ((50.0, 36_000.0),)
    assert clock.active == pytest.approx(100)
    assert [clock(at) for at in (0, 25, 50, 36_000, 36_050)] == pytest.approx([0, 25, 50, 66, 116])
    figure = drawn(record)
    assert any(text.endswith("cut") for text in words(figure))
    assert "cut out" in figure.caption


def test_earlier_attempts_are_bars_of_their_own() -> None:
    """c1-s1 errored once and was tried again."""
    record = small_sweep().record
    (attempt,) = record.trials["c1-s1"].earlier
    assert attempt.outcome is Outcome.ERRORED
    assert attempt.ended > attempt.started
    first = [e for e in of_class(drawn(record), "span-errored") if e.get("data-trial") == "c1-s1"]
    assert len(first) == 1
    assert "trial" not in (first[0].get("class") or "").split()


def test_a_run_that_was_stopped_with_its_configuration_and_goes_on_is_first_of_all_stopped() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    trial = sweep.start(sweep.configuration("c0"), 0)
    sweep.measure(trial, 1, 0.1)
    sweep.end(trial, Outcome.PRUNED_UNDERPERFORMING)
    sweep.start("c0", 0, attempt=2)
    assert [span.kind for span in spans_of(sweep.record)] == ["stopped", "running"]


def test_an_attempt_that_ended_with_its_driver_is_as_long_as_it_is_known_to_have_trained() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    trial = sweep.start(sweep.configuration("c0"), 0)
    sweep.measure(trial, 1, 0.1)
    sweep.now += 1000
    sweep.resume()
    sweep.start("c0", 0, attempt=2)
    (attempt,) = sweep.record.trials[trial].earlier
    assert attempt.outcome is None
    assert attempt.ended - attempt.started == pytest.approx(2.5)


def test_an_attempt_that_goes_on_from_a_checkpoint_is_as_long_as_it_trained_itself() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    trial = sweep.start(sweep.configuration("c0"), 0)
    sweep.measure(trial, 1, 0.1)
    for attempt in (2, 3):
        sweep.resume()
        sweep.start("c0", 0, attempt=attempt)
        sweep.measure(trial, 1, 0.1, resumed_seconds=2.5)
        sweep.measure(trial, 2, 0.1, resumed_seconds=2.5)
    assert [span.ended - span.started for span in spans_of(sweep.record)] == pytest.approx([2.5] * 3)


def test_what_stopping_saved_is_the_epochs_that_were_not_run() -> None:
    """An epoch takes 2.5 s. c0-s1 was stopped after 1 of 4; c1 after the first of its two seeds."""
    sweep = SweepWriter(seeds=(0, 1), configurations=2)
    sweep.configuration("c0", epochs=4)
    sweep.trial("c0", 0, [0.1] * 4)
    sweep.trial("c0", 1, [0.1], Outcome.PRUNED_UNSTABLE, rule="stuck")
    sweep.configuration("c1", epochs=4, freeze_depth=1)
    sweep.trial("c1", 0, [0.1] * 4)
    sweep.stop_configuration("c1")
    assert saved_seconds(sweep.record) == pytest.approx((3 + 4) * 2.5)
    assert "stopping saved about 18 s of training" in drawn(sweep.record).alt
    assert saved_seconds(small_sweep().record) == pytest.approx((2 + 1) * 2.5)


def test_the_bar_of_all_time_adds_up() -> None:
    figure = drawn(small_sweep().record)
    spans = spans_of(small_sweep().record)
    bars = [e for e in of_class(figure, "span") if e.get("height") == "24"]
    kinds = [(e.get("class") or "").split()[-1].removeprefix("span-") for e in bars]
    seconds = [sum(s.ended - s.started for s in spans if s.kind == kind) for kind in kinds[:-1]] + [
        saved_seconds(small_sweep().record)
    ]
    widths = [float(e.get("width") or 0) + 1 for e in bars]
    assert kinds == ["completed", "failed", "stopped", "errored", "running", "saved"]
    assert [w / sum(widths) for w in widths] == pytest.approx([s / sum(seconds) for s in seconds], abs=0.003)


def test_many_trials_are_areas_of_how_many_were_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "_MOST_SPANS", 3)
    figure = drawn(
        at_times(("a", 0, 80, "completed"), ("b", 0, 40, "completed"), ("b", 40, 80, "collapsed"), ("a", 80, 100, "completed"))
    )
    assert not trials(figure)
    completed, failed = of_class(figure, "area")
    heights = sorted({round(y) for _, y in points(completed)})
    low, middle, high = heights  # both, one, none
    assert high - middle == pytest.approx(middle - low, abs=1)
    assert min(x for x, _ in points(failed)) == pytest.approx(66)
    top_at = {round(x): y for x, y in points(failed)[: 2 * timeline._BINS]}
    assert "by how they ended" in figure.caption
    assert len(top_at) > 100


def test_a_replay_has_no_times() -> None:
    """All of its events are of one moment, whatever its trials took."""
    sweep = small_sweep()
    record = SweepRecord.of([replace(event, time=START + index * 1e-4) for index, event in enumerate(sweep.events)])
    assert timeline_figure(record) is None
    assert timeline_figure(SweepWriter().record) is None

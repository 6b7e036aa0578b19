"""How far a sweep is, and how long it may take."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import pytest
from hypothesis import given, settings

from blurb_tune.core.pulse import Pulse
from blurb_tune.core.trial import Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.report import trial_groups
from blurb_tune.report.progress import Counts, Progress, Work, planned_trials
from blurb_tune.report.status import status_of
from blurb_tune.report.trial_groups import Group
from tests.report.sweeps import SweepWriter, large_sweep, small_sweep, sweeps


def progress_of(sweep: SweepWriter, most_strategies: int = 8) -> Progress:
    progress = Progress(most_strategies=most_strategies)
    for event in sweep.events:
        progress.apply(event)
    return progress


def test_counts_of_the_small_sweep() -> None:
    progress = progress_of(small_sweep())
    assert progress.counts() == Counts(running=1, finished=10, pruned=2, failed=4, errored=1)
    assert progress.counts().done == 11
    assert list(progress.running) == ["c2-s3"]


def test_the_total_is_unknown_without_a_plan() -> None:
    assert Progress().total() is None
    assert progress_of(SweepWriter(configurations=None)).total() is None
    assert progress_of(SweepWriter(seeds=(0, 1, 2), configurations=4)).total() == 12


def test_every_fold_of_a_seed_is_a_trial_of_its_own() -> None:
    assert progress_of(SweepWriter(seeds=(0, 1, 2), configurations=4, folds=5)).total() == 60


def test_a_configuration_given_up_early_shortens_the_total() -> None:
    sweep = SweepWriter(seeds=(0, 1, 2), configurations=4)
    sweep.configuration("c0")
    sweep.trial("c0", 0, [0.1])
    assert progress_of(sweep).total() == 12
    sweep.end_configuration("c0", "PRUNED")
    assert progress_of(sweep).total() == 10


def test_nothing_to_go_by_gives_no_estimate() -> None:
    sweep = SweepWriter()
    assert progress_of(sweep).seconds_left(sweep.now) is None
    sweep.configuration("c0")
    sweep.start("c0", 0)
    assert progress_of(sweep).seconds_left(sweep.now) is None


def test_a_running_trial_is_expected_to_run_to_its_last_epoch_and_to_start_up_once() -> None:
    sweep = SweepWriter(seeds=(0, 1, 2), configurations=1, slots=1)
    sweep.configuration("c0", epochs=10)
    trial = sweep.start("c0", 0)
    sweep.now += 30.0
    sweep.measure(trial, 1, 0.1)
    # Until now: 30 s of start-up, and 2.75 s with 2.5 s of training in them; 9 epochs are left, and two trials like this one.
    whole = 32.75 + 9 * 2.5
    progress = progress_of(sweep)
    assert progress.seconds_left(sweep.now) == pytest.approx(whole - 32.75 + 2 * whole)
    assert progress.seconds_left(sweep.now + 5) == pytest.approx(whole - 37.75 + 2 * whole)


def test_pruned_trials_that_end_first_do_not_make_the_rest_look_short() -> None:
    """Two trials, each of 20 epochs; one is pruned after an epoch, the other is half through."""
    sweep = SweepWriter(seeds=(0, 1, 2, 3), configurations=1, slots=2)
    sweep.configuration("c0", epochs=20)
    half = sweep.start("c0", 0)
    for epoch in range(1, 11):
        sweep.measure(half, epoch, 0.1)
    began = sweep.now
    sweep.trial("c0", 1, [0.0], Outcome.PRUNED_UNSTABLE, rule="stuck")
    pruned = sweep.now - began - 0.25
    running = 10 * 2.75 + 10 * 2.5
    rest = running - (10 * 2.75 + sweep.now - began)
    expected = (rest + 2 * (pruned + running) / 2) / 2
    assert progress_of(sweep).seconds_left(sweep.now) == pytest.approx(expected)


def test_the_last_trials_cannot_be_shared_among_slots() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1, slots=2)
    sweep.configuration("c0", epochs=4)
    sweep.trial("c0", 0, [0.1, 0.1, 0.1, 0.1])
    trial = sweep.start("c0", 1)
    sweep.measure(trial, 1, 0.1)
    assert progress_of(sweep).seconds_left(sweep.now) == pytest.approx(3 * 2.5)


def test_a_trial_that_overran_its_estimate_has_no_time_left_rather_than_less() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    sweep.configuration("c0", epochs=2)
    sweep.measure(sweep.start("c0", 0), 1, 0.1)
    assert progress_of(sweep).seconds_left(sweep.now + 1000) == 0.0


def test_errored_trials_say_nothing_about_the_time_of_others() -> None:
    sweep = SweepWriter(seeds=(0, 1, 2), configurations=1, slots=1)
    sweep.configuration("c0", epochs=2)
    sweep.trial("c0", 0, [0.1, 0.1])
    sweep.trial("c0", 1, [], Outcome.ERRORED)
    assert progress_of(sweep).seconds_left(sweep.now) == pytest.approx(2 * 2.75 + 0.25)


def test_trials_of_a_dead_driver_do_not_run() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1)
    sweep.configuration("c0", epochs=2)
    sweep.trial("c0", 0, [0.1, 0.1])
    sweep.measure(sweep.start("c0", 1), 1, 0.1)
    before = sweep.record
    seen = len(sweep.events)
    sweep.resume(slots=3)
    progress = Progress(before)
    progress.apply(sweep.events[seen])
    assert progress.counts() == Counts(running=0, finished=1, pruned=0, failed=0, errored=0)
    assert progress.elapsed(sweep.now + 5) == pytest.approx(before.elapsed_of_drivers() + 5)
    assert progress.seconds_left(sweep.now) == pytest.approx((2 * 2.75 + 0.25) / 3)


def test_a_whole_log_can_be_folded_over_the_death_of_a_driver() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1)
    sweep.configuration("c0")
    sweep.start("c0", 0)
    sweep.resume()
    assert progress_of(sweep).counts().running == 0
    sweep.start("c0", 1)
    assert list(progress_of(sweep).running) == ["c0-s1"]


def test_many_strategies_are_shown_by_family() -> None:
    sweep = large_sweep(30, 2, epochs=1)
    few, many = progress_of(sweep, 100).leaderboard(), progress_of(sweep, 8).leaderboard()
    assert (few.kind, many.kind) == ("strategy", "family")
    assert len(few.groups) > 8 >= len(many.groups)
    assert few.best == many.best == sweep.record.best_configuration()


def test_scores_that_take_long_to_find_are_found_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a second here, so that twenty must pass before the next."""
    now = 0.0
    searches = []

    def by_strategy(record: SweepRecord) -> list[Group]:
        nonlocal now
        now += 1.0
        searches.append(now)
        return trial_groups.by_strategy(record)

    monkeypatch.setattr("blurb_tune.report.progress.by_strategy", by_strategy)
    monkeypatch.setattr("blurb_tune.report.progress.time", SimpleNamespace(monotonic=lambda: now, thread_time=lambda: now))
    progress = Progress(most_strategies=100)
    for event in large_sweep(30, 2, epochs=1).events:
        progress.apply(event)
        progress.leaderboard()
        now += 1.0
    assert len(searches) > 5
    assert min(after - before for before, after in itertools.pairwise(searches[1:])) >= 20
    now += 20.0
    assert progress.leaderboard().best == progress.record.best_configuration()


@settings(max_examples=40, deadline=None)
@given(sweeps())
def test_at_every_event_the_numbers_agree_with_a_fresh_fold(sweep: SweepWriter) -> None:
    progress = Progress()
    for index, event in enumerate(sweep.events):
        progress.apply(event)
        fresh = progress_of_events(sweep, index + 1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("blurb_tune.report.progress._QUICK", math.inf)  # however long one takes on a busy machine
            assert repr(progress.leaderboard()) == repr(fresh.leaderboard()), "as text, in which one NaN is like another"
        counts, total, left = progress.counts(), progress.total(), progress.seconds_left(event.time)
        assert counts.running <= progress.record.slots
        assert total is None or counts.done + counts.running <= total
        assert left is None or left >= 0


def progress_of_events(sweep: SweepWriter, count: int) -> Progress:
    progress = Progress()
    for event in sweep.events[:count]:
        progress.apply(event)
    return progress


def test_the_total_counts_the_confirmation_of_winner_and_vanilla() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=2, confirmation_seeds=[7, 8, 9])

    def total() -> int | None:
        progress = Progress()
        for event in sweep.events:
            progress.apply(event)
        return progress.total()

    for name in ("c0", "c1"):
        sweep.configuration(name)
        sweep.trial(name, 0, [0.5])
        sweep.end_configuration(name)
    assert total() == 2 + 2 * 3
    sweep.select("c0", None)
    assert total() == 2 + 3


def test_what_a_spent_budget_leaves_out_is_not_to_come() -> None:
    sweep = SweepWriter(seeds=(0, 1, 2), configurations=200, confirmation_seeds=[7, 8], slots=1)
    for name in ("c0", "c1"):
        sweep.configuration(name, epochs=1)
        sweep.trial(name, 0, [0.5])
    last = sweep.start("c0", 1)
    assert progress_of(sweep).total() == 200 * 3 + 4
    sweep._add(ev.BudgetSpent, budget="trials", reason="3 trials have begun")
    assert progress_of(sweep).total() == 3 + 4, "no trial begins but those of the confirmation"
    sweep.measure(last, 1, 0.5)
    sweep.end(last, Outcome.COMPLETED)
    for name in ("c0", "c1"):
        sweep.end_configuration(name, "INCOMPLETE")
    assert done_and_total(sweep) == (600, 600 + 4)
    sweep.select("c1", "c0")
    progress = progress_of(sweep)
    took, ended = progress.record.seconds_of_ended_trials()
    assert progress.seconds_left(sweep.now) == pytest.approx(4 * took / ended)
    for name in ("c0", "c1"):
        for seed in (7, 8):
            sweep.trial(name, seed, [0.5])
    record = sweep.finish()
    status = status_of(progress_of(sweep), sweep.now)
    assert (status["progress"], status["trials"]["total"]) == (1.0, 7)
    assert planned_trials(record) == 198 * 3 + 3 + 4, "what the caveat of the budget compares with"


def done_and_total(sweep: SweepWriter) -> tuple[float, float]:
    work = progress_of(sweep).work()
    assert work is not None
    return work.done, work.total


def test_work_counts_epochs_and_what_was_stopped_is_done() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=3)
    assert done_and_total(sweep) == (0, 6), "nobody knows how long a trial is"
    sweep.configuration("c0", epochs=4)
    assert done_and_total(sweep) == (0, 24)
    sweep.measure(sweep.start("c0", 0), 1, 0.5)
    assert done_and_total(sweep) == (1, 24)
    sweep.end("c0-s0", Outcome.PRUNED_UNSTABLE)
    assert done_and_total(sweep) == (4, 24), "three epochs need not be run"
    sweep.configuration("c1", epochs=10)
    assert done_and_total(sweep) == (4, 8 + 20 + 2 * 7), "the third is expected to be as the two are on average"
    sweep.end_configuration("c1", "STOPPED")
    assert done_and_total(sweep) == (4 + 20, 42)


def test_work_counts_the_confirmation_and_ends_whole() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=2, confirmation_seeds=[7, 8])
    for name, epochs in (("c0", 2), ("c1", 4)):
        sweep.configuration(name, epochs=epochs)
        sweep.trial(name, 0, [0.5] * epochs)
        sweep.end_configuration(name)
    assert done_and_total(sweep) == (6, 6 + 2 * 2 * 3)
    sweep.select("c1", "c0")
    assert done_and_total(sweep) == (6, 6 + 2 * 2 + 2 * 4)
    for name, epochs in (("c0", 2), ("c1", 4)):
        for seed in (7, 8):
            sweep.trial(name, seed, [0.5] * epochs)
    assert done_and_total(sweep) == (18, 18)


@settings(max_examples=40, deadline=None)
@given(sweeps())
def test_work_is_never_more_than_all_and_a_finished_plan_is_all(sweep: SweepWriter) -> None:
    work = progress_of(sweep).work()
    if work is not None:
        assert 0 <= work.done <= work.total


def test_a_pulse_is_work() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    sweep.configuration("c0", epochs=10)
    trial = sweep.start("c0", 0)
    progress = progress_of(sweep)
    progress.take_pulses([Pulse(trial, 1, "training", 30, 100)], sweep.now)
    assert progress.work() == Work(3.0, 10.0)
    assert progress.silent_seconds(trial, sweep.now + 7) == 7
    progress.take_pulses([Pulse(trial, 1, "training", 30, 100)], sweep.now + 7)
    assert progress.silent_seconds(trial, sweep.now + 7) == 7, "the same once more is no sign of life"

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.seeds import derive_share
from blurb_tune.core.storage import FolderStorage
from blurb_tune.core.trial import Continue, Outcome, TrialConfig, TrialReport
from blurb_tune.execution.cleanup import WeightsCleanup, weights_name
from blurb_tune.execution.sweep_folder import first_event
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import read_events
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import make_plan
from blurb_tune.replay.simulator import LOST
from blurb_tune.results.trivial import TrivialLevel
from blurb_tune.spec import load_spec
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.faults import Faults
from blurb_tune.sweep.sweep import Sweep
from tests.sweep.simulation import FACTS, make_spec, open_log, report, results, simulate, usual

EARLY = {"grace": 0.4, "window": 0.2}
MEDIAN = {"instability": EARLY, "pruner": {"kind": "median", "n_startup_trials": 1, "n_warmup_steps": 1}, "control_share": 0.0}


def events_of(folder: Path) -> list[ev.Event]:
    return [event for event, _ in read_events(SweepPaths(folder).events)]


@pytest.mark.parametrize("slots", [1, 2, 5, 50])
def test_every_trial_and_configuration_is_run_to_one_end(tmp_path: Path, slots: int) -> None:
    sweep = simulate(tmp_path, make_spec(pruning={"control_share": 0.0}, retries=0, stop_after_errors=None), slots=slots)
    record = SweepRecord.read(SweepPaths(tmp_path).events)
    expected = {f"c{c:03d}-s{s}" for c in range(4) for s in range(3)}
    assert set(record.trials) == expected
    assert all(trial.is_final for trial in record.trials.values())
    events = events_of(tmp_path)
    finals = Counter(e.trial for e in events if isinstance(e, ev.TrialEnded) and not e.retry)
    assert finals == Counter(expected)
    assert Counter(e.configuration for e in events if isinstance(e, ev.ConfigurationEnded)) == Counter(
        list(record.configurations)
    )
    assert sweep.next_work() is None
    assert sum(record.outcome_counts().values()) == 12
    assert len({o for o, n in record.outcome_counts().items() if n}) >= 4, "the simulation should show most outcomes"


def test_a_cross_validation_runs_every_fold_with_every_seed_and_can_be_taken_up(tmp_path: Path) -> None:
    facts = SweepFacts({"tiny": 6}, train_examples=(64, 65), trivial_loss=2.0, trivial_score=0.0, folds=2)
    simulate(tmp_path, make_spec(), facts=facts, dies_after=31)
    before = {t.trial_id: t.attempt for t in SweepRecord.read(SweepPaths(tmp_path).events).trials.values() if t.is_final}
    simulate(tmp_path, make_spec(), facts=facts)
    record = SweepRecord.read(SweepPaths(tmp_path).events)
    expected = {f"c{c:03d}-s{s}-f{f}": (s, f) for c in range(4) for s in range(3) for f in range(2)}
    assert {t.trial_id: (t.seed, t.fold) for t in record.trials.values()} == expected
    assert before
    assert before.items() <= {t.trial_id: t.attempt for t in record.trials.values()}.items(), "none was run again"
    assert all(r.completed + r.failed + r.errored + r.underperforming == 6 for r in record.by_configuration())


def test_the_runs_of_a_fold_are_judged_by_its_own_trivial_level(tmp_path: Path) -> None:
    """At 0.1 a run is at the trivial level of fold 1 alone."""
    levels = (TrivialLevel(0.0, 0.05, 2.0), TrivialLevel(0.0, 0.5, 2.0))
    facts = replace(FACTS, folds=2, train_examples=(64, 64), levels=levels)
    stuck = [*(report(i, 0.1, loss=1.99) for i in (1, 2, 3, 4)), report(5, 0.1, outcome=Outcome.COMPLETED)]
    pruning = {"race": "none", "control_share": 0.0, "instability": EARLY}
    sweep = simulate(tmp_path, make_spec(pruning=pruning), lambda trial: list(stuck), facts=facts)
    outcomes = {(t.fold, t.outcome) for t in sweep.record.trials.values()}
    assert outcomes == {(0, Outcome.COMPLETED), (1, Outcome.PRUNED_UNSTABLE)}


def test_the_winner_is_named_once_and_beside_vanilla_of_its_model(tmp_path: Path) -> None:
    sweep = simulate(tmp_path, make_spec())
    assert sweep.record.selection is None
    # The log is closed behind a simulated sweep; a resumed driver names the winner.
    with open_log(SweepPaths(tmp_path), make_spec(), folds=0) as log:
        events = [event for event, _ in read_events(SweepPaths(tmp_path).events)]
        resumed = Sweep(make_spec(), FACTS, log, events)
        selection = resumed.select()
        assert selection is not None
        assert resumed.select() == selection
    best = resumed.record.best_configuration()
    assert best is not None
    assert selection.configuration == best.name
    assert selection.reference == ("c000" if best.name != "c000" else None)
    assert SweepRecord.read(SweepPaths(tmp_path).events).selection == selection


def with_limit(events: list[ev.Event], max_failed_share: float) -> list[ev.Event]:
    """The events of a simulated sweep as if its first one had tolerated this share of failed runs."""
    first = events[0]
    assert isinstance(first, ev.SweepStarted)
    return [replace(first, max_failed_share=max_failed_share), *events[1:]]


def test_the_log_begins_with_the_share_of_failed_runs_that_the_spec_puts_up_with(tmp_path: Path) -> None:
    spec = tmp_path / "s.yaml"
    spec.write_text("task: demo\nmodel: tiny\nmax_failed_share: 0.25\n")
    assert first_event(make_plan(load_spec(spec, [])), FACTS, 1, "fp32", []).max_failed_share == 0.25


@pytest.mark.parametrize("limit", [0.0, 0.2, 0.4, 1.0])
@pytest.mark.parametrize("draw", range(3))
def test_the_winner_is_what_the_sampler_calls_the_best(tmp_path: Path, draw: int, limit: float) -> None:
    """Optuna's own best trial is the one with the highest objective of those that keep the constraint."""

    def behave(trial: TrialConfig) -> list[TrialReport]:
        weakness = 0.4 + 0.6 * derive_share(draw, trial.configuration_id, "weakness")
        has_failed = derive_share(draw, trial.trial_id, "failure") < weakness
        score = 0.0 if has_failed else 1 - derive_share(draw, trial.configuration_id)
        return [report(5, score, outcome=Outcome.COLLAPSED if has_failed else Outcome.COMPLETED)]

    space = {"learning_rate": [1e-5, 2e-5, 3e-5, 4e-5, 5e-5, 6e-5], "freeze_depth": [0, 1], "epochs": 5}
    pruning = {"race": "none"}  # a configuration that was stopped is told with what it had then
    sweep = simulate(tmp_path, make_spec(space=space, seeds=5, max_failed_share=limit, pruning=pruning), behave)
    record = SweepRecord.of(with_limit(events_of(tmp_path), limit))
    best, excesses = record.best_configuration(), [result.excess for result in record.by_configuration()]
    assert best is not None
    assert best.excess == min(excesses)
    if not best.excess:
        assert sweep._study.study.best_trial.user_attrs["configuration"] == best.name
    else:
        with pytest.raises(ValueError, match="feasible"):
            _ = sweep._study.study.best_trial


@pytest.mark.parametrize("draw", range(20))
def test_weights_are_kept_of_those_at_work_and_of_those_that_lead(tmp_path: Path, draw: int) -> None:
    """What has been dropped is never asked for again, whatever ends in which order, and little is kept in the end."""

    def behave(trial: TrialConfig) -> list[TrialReport]:
        """Half of the runs have no result, so that no configuration has all its seeds; many fail: ranks go up and down."""
        score = derive_share(draw, trial.trial_id, "score")
        if derive_share(draw, trial.trial_id, "error") < 0.5:
            return [TrialReport(outcome=Outcome.ERRORED, reason="RuntimeError: x", error="trace")]
        steps = int(25 * derive_share(draw, trial.trial_id, "length"))
        has_failed = derive_share(draw, trial.trial_id, "failure") < 0.4
        outcome = Outcome.COLLAPSED if has_failed else Outcome.COMPLETED
        return [*(report(i, score) for i in range(1, steps + 2)), report(30, score, outcome=outcome)]

    space = {"strategy": ["vanilla", {"freeze_depth": 4}, {"reinit_count": 2}], "epochs": 5, "learning_rate": [1e-5, 2e-5]}
    settings: dict[str, Any] = {"retries": draw % 2, "stop_after_errors": None, "pruning": {"pruner": "none"}}
    simulate(tmp_path, make_spec(space=space, **settings), behave, slots=8)
    folder = tmp_path / "weights"
    folder.mkdir()
    record = SweepRecord()
    keeper = WeightsCleanup(FolderStorage(folder), record)
    for event in with_limit(events_of(tmp_path), draw % 4 / 3):
        record.apply(event)
        if isinstance(event, ev.TrialEnded):
            (folder / f"{weights_name(event.trial, event.attempt)}.safetensors").touch()
        keeper.on_event(event)
    winners = [record.best_configuration(), *record.references().values()]
    wanted = {weights_name(t.trial_id, t.attempt) for winner in winners if winner for t in record.trials_of(winner.name)}
    kept = {file.stem for file in folder.iterdir()}
    assert wanted <= kept
    assert {name.partition("-a")[0] for name in kept} == {name.partition("-a")[0] for name in wanted}


def test_a_sweep_goes_on_as_if_its_driver_had_never_died(tmp_path: Path) -> None:
    """Wherever a driver dies, its successor arrives at the very same results, and runs no finished trial again."""
    spec = make_spec(pruning=MEDIAN)
    whole = tmp_path / "whole"
    whole.mkdir()
    simulate(whole, spec)
    expected = results(whole)
    turns = sum(isinstance(e, ev.Measured) or (isinstance(e, ev.TrialEnded) and bool(e.error)) for e in events_of(whole))
    assert turns > 20
    for dies_after in range(0, turns, 3):
        folder = tmp_path / f"dies-{dies_after}"
        folder.mkdir()
        simulate(folder, spec, dies_after=dies_after)
        finished = {t.trial_id for t in SweepRecord.read(SweepPaths(folder).events).trials.values() if t.is_final}
        begun: list[str] = []

        def behave(trial: TrialConfig, begun: list[str] = begun) -> list[TrialReport]:
            begun.append(trial.trial_id)
            return usual(trial)

        simulate(folder, spec, behave)
        assert finished.isdisjoint(begun)
        # A trial that errors only in its first attempt may have been lost in that attempt: it then has no error to show.
        assert results(folder) == expected


def test_a_log_cut_off_anywhere_can_be_taken_up(tmp_path: Path) -> None:
    spec = make_spec(pruning=MEDIAN)
    whole = tmp_path / "whole"
    whole.mkdir()
    simulate(whole, spec)
    log = SweepPaths(whole).events.read_bytes()
    for cut in range(len(log) // 40, len(log), len(log) // 40):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        SweepPaths(folder).events.write_bytes(log[:cut])
        simulate(folder, spec)
        assert results(folder) == results(whole)


def test_an_errored_trial_is_tried_again_and_reported_apart(tmp_path: Path) -> None:
    def faulty(trial: TrialConfig) -> list[TrialReport]:
        error = TrialReport(outcome=Outcome.ERRORED, reason="RuntimeError: no", error="trace")
        return [report(1, 0.5), error] if trial.seed == 1 else usual_end()

    simulate(tmp_path, make_spec(retries=2, stop_after_errors=None), faulty)
    record = SweepRecord.read(SweepPaths(tmp_path).events)
    errored = [t for t in record.trials.values() if t.outcome is Outcome.ERRORED]
    assert [(t.seed, t.attempt, t.error) for t in errored] == [(1, 3, "trace")] * 4
    assert all(result.n == 2 and result.errored == 1 for result in record.by_configuration())


def error(reason: str = "RuntimeError: x") -> TrialReport:
    return TrialReport(outcome=Outcome.ERRORED, reason=reason, error="trace", worker="simulated:77")


def test_an_errored_trial_waits_for_its_turn_and_does_not_go_back_to_the_slot_that_failed(tmp_path: Path) -> None:
    started: list[str] = []

    def faulty(trial: TrialConfig) -> list[TrialReport]:
        started.append(f"{trial.trial_id}:{trial.attempt}")
        return [error()] if (trial.seed, trial.attempt) == (0, 1) else usual_end()

    simulate(tmp_path, make_spec(space={"strategy": ["vanilla"], "epochs": 5}), faulty)
    assert started == ["c000-s0:1", "c000-s1:1", "c000-s0:2", "c000-s2:1"]


@pytest.mark.parametrize("slots", [1, 3])
def test_errors_in_a_row_stop_the_sweep_before_all_is_lost_and_it_goes_on_when_they_are_mended(
    tmp_path: Path, slots: int
) -> None:
    """As on a machine whose driver is broken: nothing ends there but in an error, and that at once."""
    spec = make_spec(stop_after_errors=4)
    sweep = simulate(tmp_path, spec, lambda trial: [error("RuntimeError: no driver")], slots=slots, may_stop=True)
    assert sweep.abort_reason is not None
    assert "4 trials in a row errored, the last one on simulated:77: RuntimeError: no driver" in sweep.abort_reason
    assert sweep.next_work() is None
    assert not sweep.is_finished
    assert states(tmp_path) == {}, "no configuration is given up"
    again = simulate(tmp_path, spec, lambda trial: usual_end())
    assert again.abort_reason is None
    assert {trial.outcome for trial in again.record.trials.values()} == {Outcome.COMPLETED}
    assert len(again.record.trials) == 12
    assert set(states(tmp_path).values()) == {"COMPLETE"}


def test_errors_among_results_stop_nothing(tmp_path: Path) -> None:
    def faulty(trial: TrialConfig) -> list[TrialReport]:
        is_faulty = trial.seed and trial.configuration_id in ("c001", "c003")
        return [error()] if is_faulty else usual_end()

    sweep = simulate(tmp_path, make_spec(retries=0, stop_after_errors=3), faulty)
    assert sweep.abort_reason is None
    assert len(sweep.record.trials) == 12


def usual_end() -> list[TrialReport]:
    return [report(1, 0.5), report(5, 0.7, outcome=Outcome.COMPLETED)]


def test_a_process_that_is_lost_spends_no_retry_and_stops_no_sweep(tmp_path: Path) -> None:
    def behave(trial: TrialConfig) -> list[TrialReport]:
        return [report(1, 0.5), LOST] if trial.attempt < 3 else usual_end()

    sweep = simulate(tmp_path, make_spec(retries=0, stop_after_errors=2), behave)
    trials = sweep.record.trials.values()
    assert {(t.attempt, t.losses, t.errors, t.outcome) for t in trials} == {(3, 2, 0, Outcome.COMPLETED)}


def test_who_errors_waits_for_a_turn_of_the_others_each_time(tmp_path: Path) -> None:
    """Whatever kills five processes in a row, it is not one trial that bears it all."""
    lost = 0

    def behave(trial: TrialConfig) -> list[TrialReport]:
        nonlocal lost
        lost += 1
        return [LOST] if lost <= 5 else usual_end()

    spec = make_spec(space={"strategy": ["vanilla"], "epochs": 5}, seeds=2, retries=0, stop_after_errors=3)
    simulate(tmp_path, spec, behave)
    started = [e for e, _ in read_events(SweepPaths(tmp_path).events) if isinstance(e, ev.TrialStarted)]
    assert [e.seed for e in started] == [0, 1, 0, 1, 0, 1, 0]


def test_a_trial_whose_process_is_lost_again_and_again_has_errored(tmp_path: Path) -> None:
    def behave(trial: TrialConfig) -> list[TrialReport]:
        return [LOST] if trial.trial_id == "c001-s0" else usual_end()

    sweep = simulate(tmp_path, make_spec(retries=0), behave)
    lost = sweep.record.trials["c001-s0"]
    assert (lost.attempt, lost.outcome, lost.reason) == (
        5,
        Outcome.ERRORED,
        "the trial's process was lost 5 times in a row, and it came no farther",
    )
    assert sweep.record.outcome_counts()["completed"] == 11


def on(host: str, end: TrialReport) -> TrialReport:
    return replace(end, worker=f"{host}:7")


def test_a_broken_host_is_told_from_broken_trials(tmp_path: Path) -> None:
    """Whatever is tried on it errors; elsewhere the same trials work, and none loses its only try."""
    turns = iter(range(1000))

    def behave(trial: TrialConfig) -> list[TrialReport]:
        turn = next(turns)
        return [on("good", usual_end()[1])] if turn % 8 == 0 else [on("bad", error())]

    sweep = simulate(tmp_path, make_spec(retries=0, stop_after_errors=3), behave, may_stop=True)
    assert sweep.abort_reason is not None
    assert "errored on bad, while others did not elsewhere" in sweep.abort_reason
    ended = [t for t in sweep.record.trials.values() if t.is_final]
    errored = [t.trial_id for t in ended if t.outcome is Outcome.ERRORED]
    assert len(errored) == 2, "before it was clear that the host is to blame"
    assert sum(t.outcome is Outcome.COMPLETED for t in ended) >= 2


def test_a_broken_node_is_left_out_before_another_one_has_shown_that_it_works() -> None:
    """The first trial of the others may take an hour."""
    faults = Faults(3, nodes=2)
    assert [faults.add("bad:1", "x") for _ in range(3)] == [False, False, True]
    assert faults.left_out == {"bad"}
    assert faults.abort_reason is None
    assert [faults.add("other:1", "x") for _ in range(3)][-1] is False
    assert faults.abort_reason is not None, "no node works"
    alone = Faults(3, nodes=1)
    assert not any(alone.add("bad:1", "x") for _ in range(3))
    assert alone.abort_reason is not None


def test_a_node_that_does_well_again_is_no_longer_left_out() -> None:
    faults = Faults(None, nodes=3)
    assert [faults.add("bad:1", "x") for _ in range(5)][-1]
    assert faults.left_out == {"bad"}
    faults.clear("bad:2")
    assert not faults.left_out
    faults.mark_sound("good:1")
    assert not faults.add("bad:3", "x"), "it is counted anew"


def states(folder: Path) -> dict[str, str]:
    return {e.configuration: e.state for e in events_of(folder) if isinstance(e, ev.ConfigurationEnded)}


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        ([report(1, 0.5), report(5, 0.7, outcome=Outcome.COMPLETED)], "COMPLETE"),
        ([report(1, 0.5), report(5, -0.1, outcome=Outcome.COLLAPSED)], "COMPLETE"),
        ([report(i, 0.1, loss=1.99) for i in (1, 2, 3, 4)], "COMPLETE"),
        ([TrialReport(outcome=Outcome.ERRORED, reason="x", error="y")], "FAIL"),
    ],
)
def test_a_configuration_is_told_as_its_seeds_ended(tmp_path: Path, reports: list[TrialReport], state: str) -> None:
    simulate(
        tmp_path,
        make_spec(retries=0, stop_after_errors=None, pruning={"pruner": "none", "control_share": 0.0, "instability": EARLY}),
        lambda trial: list(reports),
    )
    assert set(states(tmp_path).values()) == {state}


def test_pruned_trials_say_why_and_the_spared_ones_run_to_the_end(tmp_path: Path) -> None:
    stuck = [*(report(i, 0.1, loss=1.99) for i in (1, 2, 3, 4)), report(5, 0.9, outcome=Outcome.COMPLETED)]
    settings: dict[str, Any] = {"pruner": "none", "control_share": 0.4, "instability": EARLY}
    simulate(tmp_path, make_spec(seeds=10, pruning=settings), lambda trial: list(stuck))
    record = SweepRecord.read(SweepPaths(tmp_path).events)
    spared = [t for t in record.trials.values() if t.is_control]
    stopped = [t for t in record.trials.values() if not t.is_control]
    assert 0.2 < len(spared) / 40 < 0.6
    assert {t.outcome for t in spared} == {Outcome.COMPLETED}
    assert {t.steps for t in spared} == {20}
    assert {t.outcome for t in stopped} == {Outcome.PRUNED_UNSTABLE}
    assert all("train loss 1.99" in t.reason and t.steps == 8 for t in stopped)
    assert all(len(t.prunes) == 1 for t in record.trials.values()), "a spared trial is judged once"


def test_what_an_actor_says_after_its_trial_has_ended_is_not_heard(tmp_path: Path) -> None:
    sweep = simulate(tmp_path, make_spec())
    before = len(events_of(tmp_path))
    assert sweep.report("c000-s0", report(9, 0.9)) == Continue()
    sweep.report_lost("c000-s0", "late")
    assert len(events_of(tmp_path)) == before


def test_an_interruption_does_not_use_up_a_trial_s_second_try(tmp_path: Path) -> None:
    """The first attempt is lost with its driver, the second errs, and a third is due."""
    spec, behaved = make_spec(seeds=1), []

    def behave(trial: TrialConfig) -> list[TrialReport]:
        behaved.append((trial.configuration_id, trial.attempt))
        if trial.configuration_id == "c000" and trial.attempt < 3:
            return [report(1, 0.5), TrialReport(outcome=Outcome.ERRORED, reason="RuntimeError: x", error="trace")]
        return [report(1, 0.5), report(2, 0.5, outcome=Outcome.COMPLETED)]

    simulate(tmp_path, spec, behave, dies_after=1)
    simulate(tmp_path, spec, behave)
    trial = SweepRecord.read(SweepPaths(tmp_path).events).trials["c000-s0"]
    assert [attempt for name, attempt in behaved if name == "c000"] == [1, 2, 3]
    assert (trial.attempt, trial.errors, trial.outcome) == (3, 1, Outcome.COMPLETED)

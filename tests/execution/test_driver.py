"""Sweeps on a real Ray cluster, with the tiny model on the demo task."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
import yaml

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import Outcome, TrialConfig
from blurb_tune.execution.driver import run_sweep
from blurb_tune.execution.prepare import prepare_environment
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import read_events
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.spec import load_spec

pytestmark = pytest.mark.ray

SPEC: dict[str, Any] = {
    "task": "demo",
    "model": "tiny",
    "seeds": 2,
    "space": {"strategy": ["vanilla", {"freeze_depth": 1, "reinit_count": 2}], "epochs": 3, "learning_rate": 0.001},
    "search": {"sampler": "grid"},
    "pruning": {"instability": False},
    "training": {"precision": "fp32"},
}


def plan_of(folder: Path, **settings: Any) -> Plan:
    file = folder / "spec.yaml"
    file.write_text(yaml.safe_dump(SPEC | settings))
    return make_plan(load_spec(file))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, SweepPaths]:
    """One sweep of four trials on two slots, run through."""
    folder = tmp_path_factory.mktemp("sweep")
    plan, paths = plan_of(folder), SweepPaths(folder / "out")
    run_sweep(plan, paths)
    return plan, paths


def ends(paths: SweepPaths) -> dict[str, ev.TrialEnded]:
    return {event.trial: event for event, _ in read_events(paths.events) if isinstance(event, ev.TrialEnded)}


def test_a_sweep_measures_on_ray_what_one_process_measures(sweep: tuple[Plan, SweepPaths]) -> None:
    """Score for score, whichever slot ran a trial and whatever ran there before."""
    plan, paths = sweep
    record = SweepRecord.read(paths.events)
    environment = prepare_environment(plan)
    model, data = environment.classifier("tiny"), environment.models["tiny"].fold(None)
    assert len(record.trials) == 4
    for trial in record.trials.values():
        configuration = record.configurations[trial.configuration_id].configuration
        config = TrialConfig(trial.trial_id, trial.configuration_id, configuration, trial.seed)
        alone = environment.fine_tuning(model, data, config, environment.prefixes())
        for measured in trial.measurements:
            expected = alone.advance().measurement
            assert expected is not None
            assert (measured.train_loss, measured.dev_loss) == (expected.train_loss, expected.dev_loss)


def test_the_study_is_in_the_database_of_the_spec_while_the_sweep_runs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/studies.db"
    settings: dict[str, Any] = {"seeds": 1, "space": SPEC["space"] | {"strategy": ["vanilla"]}, "tracking": {"study_url": url}}
    record = run_sweep(plan_of(tmp_path, **settings), SweepPaths(tmp_path / "out"))
    (trial,) = optuna.load_study(study_name=record.header.sweep_id, storage=url).trials
    assert trial.user_attrs == {"configuration": "c000"}
    assert trial.value == record.result_of("c000").objective


def test_slots_are_warm_after_their_first_trial(sweep: tuple[Plan, SweepPaths]) -> None:
    workers = [end.worker for end in ends(sweep[1]).values()]
    assert len(workers) == 4
    assert all(workers)
    assert len(set(workers)) <= 2


def test_a_finished_folder_is_not_run_again_and_another_spec_is_refused(
    sweep: tuple[Plan, SweepPaths], tmp_path: Path
) -> None:
    plan, paths = sweep
    before = [event for event, _ in read_events(paths.events) if isinstance(event, ev.TrialStarted)]
    run_sweep(plan, paths)
    assert [event for event, _ in read_events(paths.events) if isinstance(event, ev.TrialStarted)] == before
    other = plan_of(tmp_path, seeds=3)
    with pytest.raises(InputError, match="other values of seeds"):
        run_sweep(other, paths)


def test_an_interrupted_sweep_goes_on_where_it_stopped(sweep: tuple[Plan, SweepPaths], tmp_path: Path) -> None:
    plan, paths = plan_of(tmp_path), SweepPaths(tmp_path / "out")
    interrupted = threading.Event()

    def stop_after_first(event: ev.Event) -> None:
        if isinstance(event, ev.TrialEnded):
            interrupted.set()

    record = run_sweep(plan, paths, listeners=[stop_after_first], interrupted=interrupted)
    assert record.status == "interrupted"
    finished = set(ends(paths))
    assert 1 <= len(finished) < 4
    record = run_sweep(plan, paths)
    assert record.status == "finished"
    started = [e.trial for e, _ in read_events(paths.events) if isinstance(e, ev.TrialStarted)]
    assert all(started.count(trial) == 1 for trial in finished)
    whole = SweepRecord.read(sweep[1].events)
    assert {t.trial_id: t.final_score for t in record.trials.values()} == pytest.approx(
        {t.trial_id: t.final_score for t in whole.trials.values()}, nan_ok=True, abs=0
    )


def test_a_trial_stops_early_where_it_does_in_one_process_after_an_interruption_too(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "score": "best",
        "space": {"hidden_dropout_prob": [0.0, 0.4], "epochs": 14, "learning_rate": 0.003},
        "training": {"precision": "fp32", "early_stopping_patience": 2},
        "seeds": 1,
    }
    plan, paths = plan_of(tmp_path, **settings), SweepPaths(tmp_path / "out")
    interrupted = threading.Event()

    def stop(event: ev.Event) -> None:
        if isinstance(event, ev.Measured) and event.measurement.epoch >= 3:
            interrupted.set()

    assert run_sweep(plan, paths, listeners=[stop], interrupted=interrupted).status == "interrupted"
    record = run_sweep(plan, paths)
    environment = prepare_environment(plan)
    model, data = environment.classifier("tiny"), environment.models["tiny"].fold(None)
    assert any(trial.attempt == 2 for trial in record.trials.values())
    assert any(trial.stopped_early for trial in record.trials.values())
    for trial, dropout in zip(record.trials.values(), (0.0, 0.4), strict=True):
        configuration = record.configurations[trial.configuration_id].configuration
        assert configuration.hidden_dropout_prob == dropout
        config = TrialConfig(trial.trial_id, trial.configuration_id, configuration, trial.seed)
        alone, reports = environment.fine_tuning(model, data, config, environment.prefixes()), []
        while not reports or reports[-1].outcome is None:
            reports.append(alone.advance())
        scores = [report.measurement.dev_score for report in reports if report.measurement]
        assert [measured.dev_score for measured in trial.measurements] == scores
        last = reports[-1]
        assert (trial.outcome, trial.reason, trial.stopped_early) == (last.outcome, last.reason, last.stopped_early)
        assert record.score(trial) == max(scores)


def test_stopped_and_killed_trials(tmp_path: Path) -> None:
    """Every run is stopped at its second evaluation, five processes in a row are killed before, and there is a full set of
    ends: what is lost with its process spends no retry, and counts as no error that could stop the sweep."""
    pruning = {"instability": {"exploding_gradient": 1e-9}, "control_share": 0.0}
    space = SPEC["space"] | {"strategy": ["vanilla"], "epochs": 40}
    alone = {"stop_after_errors": 3, "resources": {"concurrency": 1}}
    plan, paths = plan_of(tmp_path, pruning=pruning, space=space, retries=0, **alone), SweepPaths(tmp_path / "out")
    killed: list[int] = []

    def kill_workers(event: ev.Event) -> None:
        if isinstance(event, ev.Measured) and len(killed) < 5:
            descendants = psutil.Process().children(recursive=True)
            workers = (p.pid for p in descendants if "TrialActor" in " ".join(p.cmdline()))
            killed.append(next(pid for pid in workers if pid not in killed))
            os.kill(killed[-1], signal.SIGKILL)

    record = run_sweep(plan, paths, listeners=[kill_workers])
    assert len(killed) == 5
    assert {trial.outcome for trial in record.trials.values()} == {Outcome.PRUNED_UNSTABLE}
    assert {len(trial.measurements) for trial in record.trials.values()} == {2}
    assert sorted(trial.attempt for trial in record.trials.values()) == [3, 4]
    found = [e for e, _ in read_events(paths.events) if isinstance(e, ev.TrialEnded)]
    assert [(e.outcome, e.reason, e.retry) for e in found[:5]] == [(Outcome.ERRORED, "the trial's process was lost", True)] * 5
    assert len(found) == 7


def test_a_fault_in_a_trial_is_an_outcome_with_the_remote_trace(tmp_path: Path) -> None:
    plan, paths = plan_of(tmp_path, retries=0), SweepPaths(tmp_path / "out")
    # A number that no valid spec has, and that a trial stumbles over.
    training = plan.spec.training.model_copy(update={"eval_batch_size": 0})
    broken = dataclasses.replace(plan, spec=plan.spec.model_copy(update={"training": training}))
    record = run_sweep(broken, paths)
    assert {trial.outcome for trial in record.trials.values()} == {Outcome.ERRORED}
    assert all("Traceback" in trial.error and "ValueError" in trial.reason for trial in record.trials.values())
    workers = [end.worker for end in ends(paths).values()]
    assert len(set(workers)) == len(workers), "no process is used again after a fault"


def test_a_cluster_that_has_no_room_is_told(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, resources={"cpus": 4096})
    with pytest.raises(BlurbTuneError, match="asks for 4096 CPU"):
        run_sweep(plan, SweepPaths(tmp_path / "out"))
    assert not (tmp_path / "out").exists()

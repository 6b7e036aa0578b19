from __future__ import annotations

import itertools
import json
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import HYPERPARAMETER_NAMES, Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.lines import to_line
from blurb_tune.tracking import dashboard
from blurb_tune.tracking.addresses import tracking_uri
from blurb_tune.tracking.delivery import Deliverer, deliver
from tests.tracking.conftest import EXPERIMENT, Sweep, look


def deliver_all(sweep: Sweep, uri: str) -> None:
    result = deliver(sweep.paths, uri, EXPERIMENT, patience=0.0)
    assert (result.undelivered, result.error) == (0, "")


def client_of(uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)


def all_runs(uri: str) -> int:
    """Runs in the store, deleted ones too."""
    from mlflow.entities import ViewType
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    return len(client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL, max_results=1000))


def delete_runs(uri: str, filter_string: str) -> int:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    runs = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id], filter_string)
    for run in runs:
        client.delete_run(run.info.run_id)
    return len(runs)


def test_a_sweep_in_mlflow(sweep: Sweep, uri: str) -> None:
    sweep.small()
    deliver_all(sweep, uri)
    runs = look(uri)
    assert {trial: run.status for trial, run in runs.items()} == {
        "sweep": "FINISHED",
        "c000-s0": "FINISHED",
        "c000-s1": "FINISHED",
        "c001-s0": "KILLED",
        "c001-s1": "FAILED",
    }
    assert {trial: run.parent for trial, run in runs.items()} == {"sweep": None} | dict.fromkeys(
        runs.keys() - {"sweep"}, "sweep"
    )
    parent, child = runs["sweep"], runs["c001-s0"]
    assert (parent.name, parent.start, parent.end) == ("quick-abcd", 1_700_000_001_000, 1_700_000_020_000)
    assert (parent.params["task"], parent.params["model"], parent.params["seeds"]) == ("demo", "tiny", "0, 1")
    assert parent.history["sweep/objective"] == [(1, 1_700_000_012_000, "0.3"), (2, 1_700_000_019_000, "0.3")]
    assert parent.tags["trials"] == "1 completed, 1 collapsed, 1 diverged, 1 pruned_unstable"
    assert (child.name, child.start, child.end) == ("freeze 2 + decay 0.8, seed 0", 1_700_000_013_000, 1_700_000_015_000)
    assert child.history["dev/score"] == [(10, 1_700_000_014_000, "0.2")]
    assert child.params.keys() == {*HYPERPARAMETER_NAMES, "seed"}
    assert (
        child.params.items()
        >= {
            "model": "tiny",
            "freeze_depth": "2",
            "decay_rate": "0.8",
            "reinit_count": "0",
            "learning_rate": "5e-05",
            "batch_size": "16",
            "epochs": "20",
            "warmup_share": "0.1",
            "weight_decay": "0.01",
            "bias_correction": "True",
            "max_grad_norm": "1.0",
            "seed": "0",
        }.items()
    )
    assert child.tags == {
        "blurb_tune.sweep_id": "quick-abcd",
        "blurb_tune.role": "trial",
        "blurb_tune.trial_id": "c001-s0",
        "blurb_tune.attempt": "1",
        "metric": "pearson",
        "configuration": "c001",
        "seed": "0",
        "strategy": "freeze 2 + decay 0.8",
        "family": "freeze+decay",
        "outcome": "pruned_unstable",
        "prune_reason": "train loss stuck",
    }


def test_values_that_are_not_finite_arrive_as_nan_with_a_tag(sweep: Sweep, uri: str) -> None:
    sweep.small()
    deliver_all(sweep, uri)
    broken = look(uri)["c001-s1"]
    assert broken.tags["non_finite"] == "dev/score, train/grad_norm, train/loss"
    for name in ("dev/score", "train/grad_norm", "train/loss"):
        assert broken.history[name] == [(10, 1_700_000_017_000, "nan")]


def test_delivering_again_with_and_without_the_bookmark_changes_nothing(sweep: Sweep, uri: str) -> None:
    sweep.small()
    deliver_all(sweep, uri)
    before = look(uri)
    deliver_all(sweep, uri)
    assert look(uri) == before
    sweep.paths.delivered.unlink()
    deliver_all(sweep, uri)
    sweep.paths.delivered.write_text("{torn")
    deliver_all(sweep, uri)
    assert look(uri) == before
    assert all_runs(uri) == len(before) == 5


def test_a_crash_after_any_number_of_writes_leaves_no_trace(sweep: Sweep, uri: str, blank_store: Path) -> None:
    """Each round a new process delivers one update more than the one before it could, and dies before its bookmark."""
    sweep.small()
    for allowed in itertools.count():
        calls = itertools.count()
        crashing = Deliverer(sweep.paths, uri, EXPERIMENT)
        done = crashing.attempt(lambda calls=calls, allowed=allowed: next(calls) >= allowed)
        crashing.close()
        if done:
            break
        assert crashing.offset == 0
        assert not sweep.paths.delivered.exists()
        assert len(look(uri)) == allowed
    assert allowed == 5
    assert all_runs(uri) == 5
    at_once = f"sqlite:///{shutil.copy(blank_store, sweep.paths.root / 'at-once.db')}"
    deliver_all(sweep, at_once)
    assert look(uri) == look(at_once)


def test_delivered_piecemeal_or_at_once_the_runs_are_the_same(sweep: Sweep, uri: str, blank_store: Path) -> None:
    """After every event a new process delivers; in the end all stands in MLflow as if delivered in one go."""
    live = Deliverer(sweep.paths, uri, EXPERIMENT)
    sweep.listener = lambda _: live.attempt() or pytest.fail(live.error)
    sweep.log.observe(sweep.listener)
    sweep.small()
    live.close()
    at_once = f"sqlite:///{shutil.copy(blank_store, sweep.paths.root / 'at-once.db')}"
    deliver_all(sweep, at_once)
    assert look(uri) == look(at_once)
    assert all_runs(uri) == 5


def test_a_torn_last_line_waits_until_it_is_whole(sweep: Sweep, uri: str) -> None:
    sweep.start()
    sweep.suggest("c000")
    trial = sweep.begin("c000", 0)
    sweep.measure(trial, 10, 0.4)
    line = to_line(ev.TrialEnded(time=sweep.now + 1, trial=trial, attempt=1, outcome="completed")).encode() + b"\n"
    with sweep.paths.events.open("ab") as log:
        log.write(line[:25])
    deliver_all(sweep, uri)
    assert look(uri)[trial].status == "RUNNING"
    with sweep.paths.events.open("ab") as log:
        log.write(line[25:])
    deliver_all(sweep, uri)
    assert look(uri)[trial].status == "FINISHED"


def test_events_that_mlflow_has_no_use_for_count_as_delivered(sweep: Sweep, uri: str) -> None:
    sweep.start()
    deliver_all(sweep, uri)
    sweep.suggest("c000")
    deliver_all(sweep, uri)
    assert json.loads(sweep.paths.delivered.read_text())["offset"] == sweep.paths.events.stat().st_size


@pytest.mark.parametrize("delivered_in_between", [True, False])
def test_a_new_attempt_replaces_the_run_of_the_one_before(sweep: Sweep, uri: str, delivered_in_between: bool) -> None:
    sweep.start()
    sweep.suggest("c000")
    trial = sweep.begin("c000", 0)
    sweep.measure(trial, 10, 0.9)
    sweep.end(trial, Outcome.ERRORED, reason="worker died", retry=True)
    if delivered_in_between:
        deliver_all(sweep, uri)
        assert look(uri)[trial].status == "FAILED"
    sweep.begin("c000", 0, attempt=2)
    if delivered_in_between:
        deliver_all(sweep, uri)
    time = sweep.measure(trial, 10, 0.5)
    sweep.end(trial, Outcome.COMPLETED, attempt=2)
    deliver_all(sweep, uri)
    runs = look(uri)
    assert runs.keys() == {"sweep", trial}
    assert (runs[trial].status, runs[trial].tags["blurb_tune.attempt"]) == ("FINISHED", "2")
    assert runs[trial].history["dev/score"] == [(10, round(time * 1000), "0.5")]
    assert "reason" not in runs[trial].tags
    total = all_runs(uri)
    sweep.paths.delivered.unlink()
    deliver_all(sweep, uri)
    assert (look(uri), all_runs(uri)) == (runs, total)


def test_replaying_only_the_first_attempt_does_not_touch_the_second(sweep: Sweep, uri: str) -> None:
    """A log delivered far ahead of its bookmark: the first piece of the replay ends between two attempts."""
    sweep.start()
    sweep.suggest("c000")
    trial = sweep.begin("c000", 0)
    sweep.end(trial, Outcome.ERRORED, reason="worker died", retry=True)
    end_of_first = sweep.paths.events.stat().st_size
    sweep.begin("c000", 0, attempt=2)
    sweep.measure(trial, 10)
    deliver_all(sweep, uri)
    runs, total = look(uri), all_runs(uri)
    sweep.paths.delivered.unlink()
    whole = sweep.paths.events.read_bytes()
    sweep.paths.events.write_bytes(whole[:end_of_first])
    deliver_all(sweep, uri)
    assert (look(uri), all_runs(uri)) == (runs, total)
    sweep.paths.events.write_bytes(whole)
    deliver_all(sweep, uri)
    assert (look(uri), all_runs(uri)) == (runs, total)


def test_an_interrupted_sweep_is_killed_and_runs_again_when_resumed(sweep: Sweep, uri: str) -> None:
    sweep.start()
    sweep.suggest("c000")
    trial = sweep.begin("c000", 0)
    sweep.measure(trial, 10)
    sweep.finish("interrupted")
    deliver_all(sweep, uri)
    assert {run.status for run in look(uri).values()} == {"KILLED"}
    sweep.log.close()
    sweep.open()
    sweep.append(ev.SweepResumed, slots=2)
    sweep.begin("c000", 0, attempt=2)
    deliver_all(sweep, uri)
    assert {run.status for run in look(uri).values()} == {"RUNNING"}
    sweep.end(trial, Outcome.COMPLETED, attempt=2)
    end = sweep.finish()
    deliver_all(sweep, uri)
    runs = look(uri)
    assert {key: run.status for key, run in runs.items()} == {"sweep": "FINISHED", trial: "FINISHED"}
    assert runs["sweep"].end == round(end * 1000)


def test_more_values_than_one_batch_takes_all_arrive(sweep: Sweep, uri: str) -> None:
    sweep.start()
    sweep.suggest("c000")
    trial = sweep.begin("c000", 0)
    for step in range(1, 301):
        sweep.measure(trial, step, step / 1000)
    deliver_all(sweep, uri)
    history = look(uri)[trial].history
    assert {len(points) for points in history.values()} == {300}
    assert history["dev/score"][-1] == (300, round(sweep.now * 1000), "0.3")


@pytest.mark.parametrize("lost", ["tags.`blurb_tune.role` = 'sweep'", "tags.`blurb_tune.trial_id` = 'c000-s1'"])
def test_runs_that_are_gone_are_made_anew_from_the_start_of_the_log(sweep: Sweep, uri: str, lost: str) -> None:
    sweep.small()
    deliver_all(sweep, uri)
    before = look(uri)
    assert delete_runs(uri, lost) == 1
    deliver_all(sweep, uri)
    assert look(uri) == before


def test_runs_that_vanish_while_the_sweep_runs_are_made_anew(sweep: Sweep, uri: str) -> None:
    sweep.start()
    sweep.suggest("c000")
    trial = sweep.begin("c000", 0)
    sweep.measure(trial, 10, 0.4)
    live = Deliverer(sweep.paths, uri, EXPERIMENT)
    assert live.attempt()
    delete_runs(uri, f"tags.`blurb_tune.trial_id` = '{trial}'")
    sweep.measure(trial, 20, 0.6)
    assert not live.attempt()
    assert live.attempt(), live.error
    live.close()
    assert [value for _, _, value in look(uri)[trial].history["dev/score"]] == ["0.4", "0.6"]


def test_another_store_gets_everything(sweep: Sweep, uri: str, blank_store: Path) -> None:
    sweep.small()
    deliver_all(sweep, uri)
    other = f"sqlite:///{shutil.copy(blank_store, sweep.paths.root / 'other.db')}"
    deliver_all(sweep, other)
    assert look(other) == look(uri)


def test_a_store_left_for_another_and_returned_to_gets_what_it_missed(sweep: Sweep, uri: str, blank_store: Path) -> None:
    """The bookmark of the other store says more than the first one has, though all its runs are there."""
    other = f"sqlite:///{shutil.copy(blank_store, sweep.paths.root / 'other.db')}"
    sweep.start()
    sweep.suggest("c000")
    trial = sweep.begin("c000", 0)
    deliver_all(sweep, uri)
    sweep.measure(trial, 10)
    sweep.end(trial, Outcome.COMPLETED)
    deliver_all(sweep, other)
    deliver_all(sweep, uri)
    assert look(uri) == look(other)
    assert look(uri)[trial].status == "FINISHED"


def test_a_deleted_store_is_made_anew_in_a_folder_of_any_name(tmp_path: Path) -> None:
    sweep = Sweep(SweepPaths(tmp_path / "é a 'b' #1"))
    sweep.small()
    sweep.log.close()
    sweep.paths.summary.write_text("{}")
    uri = tracking_uri(sweep.paths, None)
    deliver_all(sweep, uri)
    assert len(list(sweep.paths.mlflow_artifacts.rglob("summary.json"))) == 1
    sweep.paths.mlflow_store.rename(tmp_path / "first.db")
    script = f"""
from pathlib import Path
from typing import Any
from blurb_tune.core.paths import SweepPaths
from blurb_tune.tracking.delivery import deliver
print(deliver(SweepPaths(Path({str(sweep.paths.root)!r})), {uri!r}, {EXPERIMENT!r}))
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (said.stdout, said.stderr) == ("Delivery(undelivered=0, error='', warnings=())\n", "")
    shutil.copy(sweep.paths.mlflow_store, tmp_path / "second.db")
    assert look(f"sqlite:///{tmp_path / 'second.db'}") == look(f"sqlite:///{tmp_path / 'first.db'}")
    assert len(list(sweep.paths.mlflow_artifacts.rglob("summary.json"))) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"é a 'b' #1", "first.db", "second.db"}


def test_of_runs_that_a_late_request_doubled_the_full_one_stays(sweep: Sweep, uri: str) -> None:
    from mlflow.tracking import MlflowClient

    sweep.small()
    deliver_all(sweep, uri)
    before = look(uri)
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    for trial in ("c000-s0", "c001-s0"):
        tags = before[trial].tags | {"mlflow.parentRunId": "x"}
        client.create_run(experiment, before[trial].start, tags, before[trial].name)
    deliver_all(sweep, uri)
    assert look(uri) == before


def test_a_double_that_appears_after_the_recovery_is_gone_in_the_end(sweep: Sweep, uri: str) -> None:
    from mlflow.tracking import MlflowClient

    sweep.small()
    live = Deliverer(sweep.paths, uri, EXPERIMENT)
    sweep.paths.delivered.mkdir()  # the bookmark cannot be written
    assert not live.attempt()
    sweep.paths.delivered.rmdir()
    assert live.attempt()
    before = look(uri)
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    client.create_run(experiment, 1, before["c000-s0"].tags, "late")
    assert live.attempt(is_last=True)
    live.close()
    assert look(uri) == before


def artifacts(uri: str) -> dict[str, str]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    (parent,) = client.search_runs(
        [client.get_experiment_by_name(EXPERIMENT).experiment_id], "tags.`blurb_tune.role` = 'sweep'"
    )
    files = client.list_artifacts(parent.info.run_id)
    return {file.path: Path(client.download_artifacts(parent.info.run_id, file.path)).read_text() for file in files}


def test_the_sweeps_files_become_artifacts_without_secrets_and_follow_changes(sweep: Sweep, uri: str) -> None:
    sweep.small()
    sweep.paths.spec.write_text("tracking:\n  uri: http://me:hunter2@host:5000\n")
    sweep.paths.trials.write_text("old")
    deliver_all(sweep, uri)
    assert artifacts(uri) == {"spec.yaml": "tracking:\n  uri: http://***@host:5000\n", "trials.csv": "old"}
    sweep.paths.trials.write_text("new")
    sweep.paths.plot.write_text("png")
    sweep.paths.report.write_text("the page")
    deliver_all(sweep, uri)
    assert artifacts(uri).items() >= {"trials.csv": "new", "scores.png": "png", "report.html": "the page"}.items()


def test_files_that_cannot_be_stored_are_a_warning(sweep: Sweep, uri: str) -> None:
    sweep.small()
    sweep.paths.summary.write_text("{}")
    sweep.paths.mlflow_artifacts.write_text("a file where the folder should be")
    result = deliver(sweep.paths, uri, EXPERIMENT, patience=0.0)
    assert (result.undelivered, result.error) == (0, "")
    assert len(result.warnings) == 1
    assert "summary.json" in result.warnings[0]


def test_a_deleted_experiment_is_an_error_that_says_what_to_do(sweep: Sweep, uri: str) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    client.delete_experiment(client.create_experiment(EXPERIMENT))
    sweep.small()
    result = deliver(sweep.paths, uri, EXPERIMENT, patience=0.0)
    assert result.undelivered == len(sweep.written)
    assert "mlflow experiments restore" in result.error


def test_one_process_at_a_time_delivers(sweep: Sweep, uri: str) -> None:
    sweep.small()
    first = Deliverer(sweep.paths, uri, EXPERIMENT)
    assert first.attempt()
    assert "another process" in deliver(sweep.paths, uri, EXPERIMENT, patience=0.0).error
    first.close()
    deliver_all(sweep, uri)


def test_what_stands_before_a_damaged_line_is_delivered_and_the_damage_is_told(sweep: Sweep, uri: str) -> None:
    sweep.small()
    lines = sweep.paths.events.read_bytes().splitlines(keepends=True)
    sweep.paths.events.write_bytes(b"".join([*lines[:7], b"{broken}\n", *lines[8:]]))
    result = deliver(sweep.paths, uri, EXPERIMENT, patience=1.5)
    assert (result.undelivered, "cannot be read" in result.error) == (len(lines) - 7, True)
    assert look(uri)["c000-s0"].status == "FINISHED"


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BlurbTuneError, match="no event log"):
        deliver(SweepPaths(tmp_path), "sqlite:///x.db", EXPERIMENT)


def test_two_sweeps_share_an_experiment(tmp_path: Path, sweep: Sweep, uri: str) -> None:
    sweep.small()
    other = Sweep(SweepPaths(tmp_path / "other"), sweep_id="quick-ef01")
    other.start()
    other.suggest("c000")
    other.trial("c000", 0, Outcome.COMPLETED, [0.3, math.nan])
    other.log.close()
    deliver_all(sweep, uri)
    deliver_all(other, uri)
    deliver_all(sweep, uri)
    assert all_runs(uri) == 5 + 2


def test_what_the_log_gets_while_it_is_delivered_gathers_for_the_next_call(sweep: Sweep, uri: str) -> None:
    """Else a sweep that is quicker than its server would have a request for every event."""
    live = Deliverer(sweep.paths, uri, EXPERIMENT)
    sweep.start()
    sweep.suggest("c000")
    grown: list[str] = []

    def grow() -> bool:
        """Called before each write."""
        if len(grown) < 5:
            grown.append(sweep.trial("c000", len(grown), Outcome.COMPLETED, [0.5]))
        return False

    assert live.attempt(grow)
    assert grown == ["c000-s0"]
    assert look(uri).keys() == {"sweep"}
    assert live.attempt()
    live.close()
    assert look(uri).keys() == {"sweep", "c000-s0"}


def test_a_run_waits_for_its_end_as_long_as_patience_says(sweep: Sweep, uri: str) -> None:
    live = Deliverer(sweep.paths, uri, EXPERIMENT)
    sweep.now = time.time()
    sweep.start()
    sweep.suggest("c000")
    sweep.begin("c000", 0)
    sweep.end(sweep.begin("c000", 1), Outcome.COMPLETED)
    assert live.attempt(patience=3600.0)
    assert look(uri).keys() == {"sweep", "c000-s1"}
    assert live.offset < sweep.paths.events.stat().st_size
    assert live.attempt(patience=0.0)
    live.close()
    assert look(uri).keys() == {"sweep", "c000-s0", "c000-s1"}
    assert live.offset == sweep.paths.events.stat().st_size


def test_a_sweep_that_an_earlier_version_began_goes_on_in_its_runs(sweep: Sweep, uri: str) -> None:
    """Its experiment has no view of ours, its bookmark says nothing of one, its runs have other names and tags."""
    sweep.start()
    sweep.suggest("c000")
    sweep.trial("c000", 0, Outcome.COMPLETED, [0.4, 0.6])
    running = sweep.begin("c000", 1)
    sweep.measure(running, 10, 0.3)
    deliver_all(sweep, uri)
    client = client_of(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    client.delete_experiment_tag(experiment.experiment_id, dashboard.TAG)
    for run in client.search_runs([experiment.experiment_id]):
        client.set_tag(run.info.run_id, "mlflow.runName", f"c000 vanilla {run.info.run_id}")
        for name in ("strategy", "outcome", "metric"):
            if name in run.data.tags:
                client.set_tag(run.info.run_id, f"blurb_tune.{name}", run.data.tags[name])
                client.delete_tag(run.info.run_id, name)
    mark = json.loads(sweep.paths.delivered.read_text())
    del mark["view"]
    sweep.paths.delivered.write_text(json.dumps(mark))

    sweep.measure(running, 20, 0.5)
    sweep.end(running, Outcome.COMPLETED)
    sweep.end_configuration("c000")
    sweep.finish()
    deliver_all(sweep, uri)
    runs = look(uri)
    assert set(runs) == {"sweep", "c000-s0", "c000-s1"}
    assert all_runs(uri) == 3
    assert [step for step, _, _ in runs["c000-s1"].history["dev/score"]] == [10, 20]
    assert (runs["c000-s1"].tags["outcome"], runs["sweep"].tags["outcome"]) == ("completed", "finished")
    assert client.get_experiment_by_name(EXPERIMENT).tags[dashboard.TAG] == dashboard.STATE


def test_the_data_set_is_kept_with_the_sweeps_own_run_once(sweep: Sweep, uri: str) -> None:
    sweep.start(data_source="/data/demo", data_digest="0123456789abcdef" * 4, examples={"train": 96, "dev": 48})
    sweep.suggest("c000")
    sweep.trial("c000", 0, Outcome.COMPLETED, [0.4])
    sweep.finish()
    for _ in range(2):
        deliver_all(sweep, uri)
        sweep.paths.delivered.unlink()
    client = client_of(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    found = {
        run.data.tags["blurb_tune.role"]: run.inputs.dataset_inputs for run in client.search_runs([experiment.experiment_id])
    }
    assert found["trial"] == []
    (one,) = found["sweep"]
    assert (one.dataset.name, one.dataset.digest, json.loads(one.dataset.source)) == (
        "demo",
        "0123456789ab",
        {"uri": "/data/demo"},
    )
    assert json.loads(one.dataset.profile) == {"train": 96, "dev": 48}


def test_outcomes_and_strategies_can_be_searched_by_their_plain_names(sweep: Sweep, uri: str) -> None:
    sweep.small()
    deliver_all(sweep, uri)
    client = client_of(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id

    def found(text: str) -> set[str]:
        return {run.info.run_name for run in client.search_runs([experiment], text)}

    assert found('tags.outcome = "completed"') == {"vanilla, seed 0"}
    assert found('tags.strategy = "freeze 2 + decay 0.8"') == {"freeze 2 + decay 0.8, seed 0", "freeze 2 + decay 0.8, seed 1"}
    assert found("metrics.`dev/score` > 0.5") == {"vanilla, seed 0"}


def test_the_description_leads_to_the_report_among_the_artifacts(sweep: Sweep, uri: str) -> None:
    sweep.small()
    deliver_all(sweep, uri)
    client = client_of(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    (run,) = client.search_runs([experiment], "tags.`blurb_tune.role` = 'sweep'")
    address = f"#/experiments/{experiment}/runs/{run.info.run_id}/artifacts/report.html"
    assert f"[The report]({address})" in run.data.tags["mlflow.note.content"]

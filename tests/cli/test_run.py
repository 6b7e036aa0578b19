"""How a sweep's end becomes an exit code, on event logs without Ray. `test_app` runs real sweeps."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blurb_tune.cli import run
from blurb_tune.cli.run import _exit_code, run_command
from blurb_tune.cli.sweep_files import write_everything
from blurb_tune.core.errors import BlurbTuneError, ExitCode
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import Outcome
from blurb_tune.execution.sweep_folder import write_spec
from blurb_tune.log.event_log import EventLog
from blurb_tune.log.events import Event, SweepStarted
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import Plan
from blurb_tune.tracking.delivery import Delivery
from tests.report.sweeps import SweepWriter


def finished(*, outcome: Outcome = Outcome.COMPLETED, error: str = "", status: str = "finished") -> SweepRecord:
    sweep = SweepWriter(seeds=(0, 1), configurations=1)
    name = sweep.configuration("c000")
    trials = [sweep.trial(name, 0, [0.5]), sweep.trial(name, 1, [0.5], outcome, reason="why")]
    sweep.end_configuration(name)
    sweep.select(name, None)
    sweep.test(trials[0], 0.4, error=error)
    return sweep.finish(status)


def test_a_sweep_that_is_through_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(finished()) is ExitCode.DONE
    assert _exit_code(finished(outcome=Outcome.COLLAPSED)) is ExitCode.DONE, "a failed run is a result"
    assert _exit_code(finished(status="interrupted")) is ExitCode.INTERRUPTED
    assert capsys.readouterr() == ("", "")


def test_trials_without_a_result_and_models_that_could_not_be_tested_are_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(finished(outcome=Outcome.ERRORED)) is ExitCode.FAILED
    assert "c000-s1: why" in capsys.readouterr().err
    assert _exit_code(finished(error="the weights of c000-s0 cannot be read")) is ExitCode.FAILED
    assert "c000-s0: the weights of c000-s0 cannot be read" in capsys.readouterr().err


def test_a_failed_test_of_a_former_winner_is_no_failure() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=2)
    for name, score in (("c000", 0.5), ("c001", 0.6)):
        sweep.configuration(name)
        trial = sweep.trial(name, 0, [score])
        sweep.end_configuration(name)
        sweep.select(name, None)
        sweep.test(trial, score, **({"error": "out of memory"} if name == "c000" else {}))
    assert _exit_code(sweep.finish()) is ExitCode.DONE


@pytest.fixture
def _no_tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SimpleNamespace(start=lambda: None, notify=lambda: None, close=lambda seconds: Delivery(0))
    monkeypatch.setattr("blurb_tune.cli.tracking.TrackingWriter", lambda *_, **__: writer)
    (tmp_path / "s.yaml").write_text("task: demo\nmodel: tiny\n")


@pytest.mark.usefixtures("_no_tracking")
def test_a_finished_sweep_is_not_run_again_unless_a_test_of_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    runs: list[SweepRecord] = []

    def run_sweep(plan: Plan, paths: SweepPaths, **_: Any) -> None:
        sweep = SweepWriter(seeds=(0,), configurations=1)
        name = sweep.configuration("c000")
        trial = sweep.trial(name, 0, [0.5])
        sweep.end_configuration(name)
        sweep.select(name, None)
        sweep.test(trial, 0.4, error="CUDA error")
        if runs:
            sweep.test(trial, 0.4)
        runs.append(sweep.finish())
        paths.root.mkdir(exist_ok=True)
        paths.events.unlink(missing_ok=True)
        with EventLog(paths.events, paths.lock) as log:
            for event in sweep.events:
                log.append(replace(event, spec_digest=plan.digest) if isinstance(event, SweepStarted) else event)

    def run_again() -> tuple[ExitCode, str]:
        code = run_command(tmp_path / "s.yaml", [], tmp_path / "out", quiet=False, as_json=False)
        output = capfd.readouterr()
        return code, output.out + output.err

    monkeypatch.setattr("blurb_tune.execution.driver.run_sweep", run_sweep)
    code, said = run_again()
    assert code is ExitCode.FAILED
    assert "1 runs not tested, the first was c000-s0: CUDA error; the same command again tests them" in said
    assert run_again()[0] is ExitCode.DONE
    code, said = run_again()
    assert (code, len(runs)) == (ExitCode.DONE, 2)
    assert "This sweep is finished already" in said


@pytest.fixture
def _a_sweep_that_fails_in_its_final_test(_no_tracking: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_sweep(plan: Plan, paths: SweepPaths, *, listeners: Sequence[Callable[[Event], None]], **_: Any) -> None:
        sweep = SweepWriter(seeds=(0,), configurations=1)
        name = sweep.configuration("c000")
        sweep.trial(name, 0, [0.5])
        sweep.end_configuration(name)
        sweep.select(name, None)
        sweep.finish("interrupted")
        paths.root.mkdir()
        write_spec(plan, paths)
        with EventLog(paths.events, paths.lock) as log:
            for listener in listeners:
                log.observe(listener)
            for event in sweep.events:
                log.append(event)
        raise BlurbTuneError("the test split cannot be read")

    monkeypatch.setattr("blurb_tune.execution.driver.run_sweep", run_sweep)


@pytest.mark.usefixtures("_a_sweep_that_fails_in_its_final_test")
def test_a_sweep_that_stopped_on_an_error_is_not_called_interrupted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BlurbTuneError, match="the test split cannot be read"):
        run_command(tmp_path / "s.yaml", [], tmp_path / "out", quiet=False, as_json=False)
    printed = capsys.readouterr().out
    assert "stopped after" in printed
    assert "nterrupted" not in printed
    assert SweepPaths(tmp_path / "out").summary.exists(), "what there is, is shown and kept"


@pytest.mark.usefixtures("_a_sweep_that_fails_in_its_final_test")
def test_nothing_is_written_by_modules_that_another_thread_is_importing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as at an early ctrl-c: the figures' package was half there, and the report was a traceback."""
    imported = threading.Event()

    def import_slowly(uri: str) -> None:
        time.sleep(1.0)
        imported.set()

    def write(record: SweepRecord, paths: SweepPaths) -> list[str]:
        assert imported.is_set()
        return write_everything(record, paths)

    monkeypatch.setattr("blurb_tune.cli.run._import_what_comes_later", import_slowly)
    monkeypatch.setattr("blurb_tune.cli.run.write_everything", write)
    with pytest.raises(BlurbTuneError, match="the test split cannot be read"):
        run_command(tmp_path / "s.yaml", [], tmp_path / "out", quiet=True, as_json=False)


def test_a_file_that_cannot_be_written_is_told_and_costs_no_other(tmp_path: Path) -> None:
    paths = SweepPaths(tmp_path)
    assert write_everything(finished(), paths) == []
    before = paths.trials.read_bytes()
    paths.plot.unlink()
    paths.plot.mkdir()
    (paths.plot / "x").touch()
    paths.summary.unlink()
    paths.summary.mkdir()
    faults = write_everything(finished(outcome=Outcome.COLLAPSED), paths)
    assert faults == [f"{path}: cannot be written (Is a directory)" for path in (paths.summary, paths.plot)]
    assert paths.trials.read_bytes() != before, "the other tables are new"
    names = {"trials.csv", "configurations.csv", "summary.json", "scores.png", "report.html"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_what_is_imported_for_the_end_is_there() -> None:
    """A name that is not would be passed over in silence."""
    for module in run._IMPORTED_LATER:
        import_module(module)


def test_a_cluster_that_is_lost_with_its_storage_ends_the_command(tmp_path: Path) -> None:
    code = """
import sys, threading
from pathlib import Path
from blurb_tune.cli.run import _abandon
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.storage import open_storage
from blurb_tune.execution.storage_session import StorageSession
paths, imports = SweepPaths(Path(sys.argv[1])), threading.Thread(target=lambda: None)
imports.start()
_abandon(paths, StorageSession(open_storage(sys.argv[1]), paths, threading.Event()), imports)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "gone")], capture_output=True, timeout=120, check=False)
    assert done.returncode == ExitCode.CLUSTER_LOST

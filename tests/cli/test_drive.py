"""What the driver of a submitted sweep makes of requests, before its sweep has a log."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from blurb_tune.cli import drive
from blurb_tune.core.errors import ExitCode
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.storage import open_storage
from blurb_tune.service.kept_sweeps import KeptSweep, Request

STOP, CHANGE = Request("stop", "ada"), Request("change", "ada", {"seeds": 20})


def sweep_in(folder: Path) -> tuple[KeptSweep, SweepPaths]:
    (folder / "demo-1").mkdir()
    return KeptSweep(open_storage(str(folder)), "demo-1"), SweepPaths(folder / "demo-1")


def asked(sweep: KeptSweep, log: Path) -> Request | None:
    watch = drive._Watch(sweep, log)
    watch._look_once()
    assert watch.interrupted.is_set() is (watch.asked is not None)
    return watch.asked[1] if watch.asked else None


def test_a_change_waits_for_the_log_that_is_to_hold_it_and_a_stop_does_not(tmp_path: Path) -> None:
    sweep, paths = sweep_in(tmp_path)
    sweep.ask(CHANGE)
    assert asked(sweep, paths.events) is None
    sweep.ask(STOP)
    assert asked(sweep, paths.events) == STOP
    paths.events.touch()
    assert asked(sweep, paths.events) == CHANGE


def test_a_sweep_that_is_stopped_while_it_waits_for_a_slot_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, paths = sweep_in(tmp_path)

    def run(*_: object, interrupted: threading.Event, **__: object) -> ExitCode:
        sweep.ask(STOP)
        assert interrupted.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(drive, "run_command", run)
    monkeypatch.setattr(drive, "_POLL_SECONDS", 0.05)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    code, message, request = drive._Driver(str(tmp_path), sweep, paths).run()
    assert (code, message) == (ExitCode.INTERRUPTED, "")
    assert request is not None
    assert request[1] == STOP

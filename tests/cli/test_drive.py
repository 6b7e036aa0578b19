"""What a driver makes of requests, of what earlier drivers have left, and of its own end; Ray runs nothing here.

`tests/docker/test_stack.py` has real drivers on a real cluster.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Event as Flag
from types import SimpleNamespace
from typing import Any

import pytest

from blurb_tune.cli import drive
from blurb_tune.cli.drive import drive_command
from blurb_tune.core.errors import BlurbTuneError, ExitCode, InputError, Problem
from blurb_tune.core.lease import Lease
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.storage import open_storage
from blurb_tune.execution import storage_session
from blurb_tune.execution.sweep_folder import write_spec
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import EventLog, find_events, has_events, read_events
from blurb_tune.preflight import Plan
from blurb_tune.service.kept_sweeps import KeptSweep, Request, Submission
from blurb_tune.tracking.delivery import Delivery
from tests.report.sweeps import SweepWriter

Work = Callable[[Flag], bool]


class Killed(BaseException):
    """Nothing of a run's is done any more, wherever it is."""


class Stage:
    """A submitted sweep in a shared folder. runs: what the next drivers' runs do, one after the other; each says whether the
    sweep is finished then. early: those that end before the log has an event of theirs."""

    def __init__(self, folder: Path):
        self.uri = str(folder)
        self.sweep = KeptSweep(open_storage(self.uri), "demo-1")
        self.paths = SweepPaths(folder / "demo-1")
        self.runs: list[Work] = []
        self.early: set[Work] = {killed_at_once}
        self.sweep.storage.write("submitted/spec.yaml", b"task: demo\nmodel: tiny\nseeds: 2\n")
        self.sweep.submit(Submission("demo-1", "demo", "ada", 0.0))

    def drive(self, *runs: Work) -> ExitCode:
        self.runs = list(runs)
        code = drive_command(self.uri, "demo-1")
        assert not self.runs
        return code

    def ask(self, command: str, **arguments: Any) -> None:
        self.sweep.ask(Request(command, "eve", arguments))

    @property
    def state(self) -> str:
        return str(self.sweep.status()["state"])

    @property
    def waiting(self) -> list[str]:
        return [request.command for _, request in self.sweep.requests()]

    @property
    def extensions(self) -> list[ev.SweepExtended]:
        return find_events(self.paths.events, ev.SweepExtended)

    def run_sweep(
        self,
        plan: Plan,
        paths: SweepPaths,
        *,
        listeners: Sequence[Callable[[ev.Event], None]],
        interrupted: Flag,
        extension: ev.SweepExtended | None,
        is_lost: Callable[[], bool],
        **_: Any,
    ) -> None:
        """The events of a driver as the real one logs them, around one of `runs`."""
        work = self.runs.pop(0)
        if work in self.early:
            work(interrupted)
        with EventLog(paths.events, paths.lock, is_lost=is_lost) as log:
            for listener in listeners:
                log.observe(listener)
            if extension is not None:
                log.append(extension)
            if extension is not None or not has_events(paths.events):
                write_spec(plan, paths)
            if not has_events(paths.events):
                header = {"spec_digest": plan.digest, "configurations": plan.configurations}
                log.append(SweepWriter(seeds=plan.spec.seeds, **header).events[0])
            else:
                log.append(ev.SweepResumed(slots=2))
            is_finished = work(interrupted)
            log.append(ev.SweepEnded(status="finished" if is_finished else "interrupted", wall_seconds=1.0))


def until_asked(interrupted: Flag) -> bool:
    assert interrupted.wait(30)
    return False


def to_the_end(interrupted: Flag) -> bool:
    return True


def killed(interrupted: Flag) -> bool:
    raise Killed


def killed_at_once(interrupted: Flag) -> bool:
    raise Killed


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    writer = SimpleNamespace(start=lambda: None, notify=lambda: None, close=lambda seconds: Delivery(0))
    made = Stage(tmp_path / "store")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(drive, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(storage_session, "_SECONDS_BETWEEN_STATUS", 0.0)
    monkeypatch.setattr("blurb_tune.execution.driver.run_sweep", made.run_sweep)
    monkeypatch.setattr("blurb_tune.cli.run._import_what_comes_later", lambda uri: None)
    monkeypatch.setattr("blurb_tune.cli.run.write_everything", lambda record, paths: [])
    monkeypatch.setattr("blurb_tune.cli.tracking.TrackingWriter", lambda *_: writer)
    monkeypatch.setattr("blurb_tune.cli.tracking.deliver", lambda *_: Delivery(0))
    return made


def test_changes_that_wait_are_followed_one_by_one_also_those_from_before_the_sweep_began(stage: Stage) -> None:
    stage.ask("change", seeds=3)
    stage.ask("change", seeds=4)
    stage.ask("retry")
    names = [name for name, _ in stage.sweep.requests()]
    assert stage.drive(until_asked, until_asked, until_asked, to_the_end) is ExitCode.DONE
    assert [(event.request, len(event.seeds), event.errored_again) for event in stage.extensions] == [
        (names[0], 3, False),
        (names[1], 4, False),
        (names[2], 4, True),
    ]
    assert (stage.waiting, stage.state) == ([], "finished")


def test_a_change_that_comes_as_the_sweep_ends_is_followed(stage: Stage) -> None:
    def asked_at_its_end(interrupted: Flag) -> bool:
        stage.ask("change", seeds=3)
        stage.ask("change", seeds=1)
        return True

    assert stage.drive(asked_at_its_end, to_the_end) is ExitCode.DONE
    assert [len(event.seeds) for event in stage.extensions] == [3]
    assert (stage.waiting, stage.state) == ([], "finished")
    assert "not changed: --seeds: a sweep only grows" in stage.sweep.status()["message"]


def test_a_sweep_that_waits_for_a_slot_is_stopped(stage: Stage) -> None:
    """Before its log has begun."""

    def called_off(interrupted: Flag) -> bool:
        stage.ask("stop")
        assert interrupted.wait(30)
        raise KeyboardInterrupt

    stage.early.add(called_off)
    assert stage.drive(called_off) is ExitCode.INTERRUPTED
    assert (stage.waiting, stage.state) == ([], "stopped")


def test_a_stop_comes_before_a_change_which_is_left_for_the_next_driver(stage: Stage) -> None:
    stage.ask("change", seeds=3)
    stage.ask("stop")
    stage.ask("pause")
    assert stage.drive() is ExitCode.INTERRUPTED
    assert (stage.waiting, stage.state) == (["change"], "stopped")
    assert stage.drive(until_asked, to_the_end) is ExitCode.DONE
    assert [len(event.seeds) for event in stage.extensions] == [3]
    assert (stage.waiting, stage.state) == ([], "finished")


@pytest.mark.parametrize("dies", [killed_at_once, killed])
def test_no_request_is_lost_with_its_driver_and_none_is_followed_twice(stage: Stage, dies: Work) -> None:
    stage.drive(to_the_end)
    stage.ask("retry")
    with pytest.raises(Killed):
        stage.drive(dies)
    assert stage.waiting == ["retry"]
    assert len(stage.extensions) == (0 if dies is killed_at_once else 1)
    assert stage.drive(to_the_end) is ExitCode.DONE
    assert (len(stage.extensions), stage.waiting) == (1, [])


def test_what_keeps_the_driver_from_running_is_no_fault_of_a_change(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_cluster(*_: object, **__: object) -> None:
        raise InputError([Problem("cluster", "no Ray cluster answers")])

    stage.drive(to_the_end)
    stage.ask("retry")
    with monkeypatch.context() as patch:
        patch.setattr("blurb_tune.cli.drive.extend_command", no_cluster)
        assert stage.drive() is ExitCode.BAD_INPUT
    assert (stage.waiting, stage.state) == (["retry"], "failed")
    assert stage.drive(to_the_end) is ExitCode.DONE
    assert (len(stage.extensions), stage.waiting) == (1, [])


def test_no_end_is_told_while_the_driver_has_more_to_do(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(*_: object) -> list[str]:
        seen.append((stage.state, stage.sweep.status()["code"]))
        return []

    def asked(interrupted: Flag) -> bool:
        look()
        stage.ask("retry")
        return until_asked(interrupted)

    def again(interrupted: Flag) -> bool:
        look()
        return True

    monkeypatch.setattr("blurb_tune.cli.run.write_everything", look)
    stage.drive(asked, to_the_end)
    stage.ask("retry")
    stage.drive(again)
    assert [state for state, _ in seen] == ["running", "ending", "ending", "running", "ending"]
    assert {code for _, code in seen} == {None}
    assert (stage.state, stage.sweep.status()["code"]) == ("finished", 0)


def test_a_sweep_that_grows_is_not_ending(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(interrupted: Flag) -> bool:
        seen.append(stage.state)
        return True

    seen: list[str] = []
    stage.drive(to_the_end)
    stage.ask("retry")
    monkeypatch.setattr(storage_session, "_SECONDS_BETWEEN_STATUS", 60.0)
    stage.drive(look)
    assert seen == ["starting"]


def test_a_second_driver_leaves_everything_to_the_first(stage: Stage) -> None:
    stage.drive(to_the_end)
    stage.ask("retry")
    stage.ask("stop")
    before = {name: stage.sweep.storage.read(name) for name in stage.sweep.storage.names()}
    with Lease(stage.sweep.storage.child("claims"), patience=1):
        with pytest.raises(BlurbTuneError, match="is running this sweep"):
            stage.drive()
        claims = {name for name in stage.sweep.storage.names() if name.startswith("claims/")}
        assert {name: stage.sweep.storage.read(name) for name in stage.sweep.storage.names() if name not in claims} == before


def test_a_driver_that_has_lost_its_lease_says_nothing_of_its_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken_over(interrupted: Flag) -> bool:
        claims = stage.sweep.storage.child("claims")
        for name in claims.names():
            claims.delete(name)
        stage.ask("stop")
        return until_asked(interrupted)

    monkeypatch.setattr(drive, "Lease", partial(Lease, patience=0.6))
    monkeypatch.setattr(drive, "_POLL_SECONDS", 60.0)
    assert stage.drive(taken_over) is ExitCode.FAILED
    assert (stage.waiting, stage.state) == (["stop"], "lost")
    assert not (stage.paths.root / "ended.json").exists()


def test_a_log_without_an_event_is_begun(stage: Stage) -> None:
    stage.paths.events.touch()
    assert stage.drive(to_the_end) is ExitCode.DONE
    assert isinstance(next(read_events(stage.paths.events))[0], ev.SweepStarted)


@pytest.mark.parametrize(("asked", "state"), [(["change", "pause"], "paused"), (["stop"], "stopped"), ([], "interrupted")])
def test_a_driver_that_is_ended_by_a_signal_has_not_failed(
    stage: Stage, asked: list[str], state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def signaled(interrupted: Flag) -> bool:
        for command in asked:
            stage.ask(command)
        raise KeyboardInterrupt

    monkeypatch.setattr(drive, "_POLL_SECONDS", 60.0)  # the signal comes before the look that would find what is asked
    with pytest.raises(KeyboardInterrupt):
        stage.drive(signaled)
    ended = json.loads((stage.paths.root / "ended.json").read_text())
    assert (ended["code"], stage.state) == (ExitCode.INTERRUPTED, state)
    assert stage.waiting == [command for command in asked if command == "change"]


def test_a_signal_ends_a_driver_also_while_it_makes_room_for_a_change(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(interrupted: Flag) -> bool:
        stage.ask("retry")
        return until_asked(interrupted)

    def signaled(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("blurb_tune.cli.run.write_everything", signaled)
    with pytest.raises(KeyboardInterrupt):
        stage.drive(asked)
    assert (stage.waiting, stage.state) == (["retry"], "interrupted")

"""Trials that lose their process, and go on: on a real Ray cluster, with the tiny model."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.pulse import Onlooker, Pulse
from blurb_tune.core.storage import FolderStorage
from blurb_tune.core.trial import Configuration, Measurement, TrialConfig
from blurb_tune.execution.checkpoints import Checkpoints
from blurb_tune.execution.driver import run_sweep
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import read_events
from blurb_tune.log.record import SweepRecord
from blurb_tune.training.checkpoint import Checkpoint
from tests.execution.test_driver import SPEC, plan_of

LONG: dict[str, Any] = {"seeds": 1, "space": SPEC["space"] | {"epochs": 8}, "final_test": False}
MEASURED = Measurement(1, 0.5, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 4, {"f1": float("nan")})


def workers() -> list[int]:
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # one that has just ended
            found += [process.pid] if "TrialActor" in " ".join(process.cmdline()) else []
    return found


def scores(record: SweepRecord) -> dict[str, list[tuple[int, float, float]]]:
    return {
        trial.trial_id: [(m.step, m.dev_loss, m.train_loss) for m in trial.measurements] for trial in record.trials.values()
    }


def trial_config(**values: Any) -> TrialConfig:
    return TrialConfig("c0-s1", "c0", Configuration(**values), seed=1)


def checkpoint(steps: int) -> Checkpoint:
    return Checkpoint({"a": torch.full((3,), float(steps))}, {"steps": steps})


def test_the_newest_whole_checkpoint_of_the_trial_itself_is_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoints, trial = Checkpoints(FolderStorage(tmp_path), 60), trial_config()
    assert checkpoints.newest(trial) is None
    for steps in (5, 40, 300):
        checkpoints.save(trial, checkpoint(steps), [MEASURED])
    assert [file.name for file in sorted((tmp_path / "c0-s1").iterdir())] == ["000000040.safetensors", "000000300.safetensors"]
    found = checkpoints.newest(trial)
    assert found is not None
    assert found[0].facts["steps"] == 300
    assert repr(found[1]) == repr([MEASURED])
    newest = tmp_path / "c0-s1" / "000000300.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    found = checkpoints.newest(trial)
    assert found is not None
    assert found[0].facts["steps"] == 40
    assert "000000300.safetensors of c0-s1 cannot be used" in caplog.text
    assert checkpoints.newest(trial_config(epochs=7)) is None
    assert "it is of another trial" in caplog.text


@pytest.mark.ray
@pytest.mark.slow
def test_killed_processes_change_no_number_and_do_not_reach_the_users_view(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = run_sweep(plan_of(tmp_path, **LONG, recovery={"checkpoint_minutes": None}), SweepPaths(tmp_path / "whole"))
    plan = plan_of(tmp_path, **LONG, recovery={"checkpoint_minutes": 0})
    killed: list[int] = []

    def kill(event: ev.Event) -> None:
        is_due = isinstance(event, ev.Measured) and event.measurement.step > 12 * (1 + len(killed))
        if is_due and len(killed) < 3 and (at_work := [pid for pid in workers() if pid not in killed]):
            killed.append(at_work[0])
            os.kill(killed[-1], signal.SIGKILL)

    paths = SweepPaths(tmp_path / "killed")
    record = run_sweep(plan, paths, listeners=[kill])
    assert len(killed) == 3
    assert scores(record) == scores(whole)
    events = [event for event, _ in read_events(paths.events)]
    assert sum(isinstance(event, ev.TrialEnded) and event.retry for event in events) == 3
    assert any(event.resumed_seconds for event in events if isinstance(event, ev.Measured)), "they went on"
    assert all(event.setup_seconds >= 0 for event in events if isinstance(event, ev.TrialEnded))
    again = sum(trial.train_seconds - trial.own_seconds for trial in record.trials.values())
    assert again > 0
    assert record.train_seconds <= sum(trial.train_seconds for trial in record.trials.values()) + again
    assert not (paths.root / "checkpoints").exists()
    assert "raylet" not in capfd.readouterr().out


@pytest.mark.ray
@pytest.mark.slow
def test_an_interrupted_sweep_leaves_a_checkpoint_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    """An epoch of this data lasts longer than the patience of whoever interrupts."""
    training = SPEC["training"] | {"eval_every": 10**6}
    space = SPEC["space"] | {"epochs": 600}
    plan = plan_of(tmp_path, training=training, space=space, final_test=False, recovery={"checkpoint_minutes": 10})
    paths, interrupted = SweepPaths(tmp_path / "out"), threading.Event()

    class Impatient(Onlooker):
        def on_pulses(self, pulses: Sequence[Pulse]) -> None:
            if any(pulse.step for pulse in pulses):
                interrupted.set()

    record = run_sweep(plan, paths, interrupted=interrupted, onlooker=Impatient())
    assert record.status == "interrupted"
    assert not any(trial.measurements for trial in record.trials.values())
    left = [int(file.stem) for file in (paths.root / "checkpoints").rglob("*.safetensors")]
    assert left
    assert all(0 < step < 600 * 6 for step in left)

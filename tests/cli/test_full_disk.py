"""A disk that is really full, below a sweep that really runs: a small file system of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from blurb_tune.cli.exit_codes import exit_codes
from blurb_tune.cli.sweep_files import write_everything
from blurb_tune.core.errors import ExitCode
from blurb_tune.core.paths import SweepPaths, write_atomically
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import read_events
from tests.cli.test_app import call, invoke
from tests.disks import Disk
from tests.learnable import write_spec
from tests.report.sweeps import SweepWriter


def sweep_with(score: float) -> SweepWriter:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    name = sweep.configuration("c000")
    sweep.trial(name, 0, [score])
    sweep.end_configuration(name)
    return sweep


def test_what_finds_no_room_leaves_the_whole_file_that_was_there(disk: Disk) -> None:
    paths = SweepPaths(disk.folder)
    assert write_everything(sweep_with(0.25).finish(), paths) == []
    before = {path: path.read_bytes() for path in disk.folder.iterdir()}
    disk.fill()
    faults = write_everything(sweep_with(0.5).finish(), paths)
    assert sorted(faults) == sorted(f"{path}: cannot be written (No space left on device)" for path in before)
    assert {path: path.read_bytes() for path in disk.folder.iterdir() if path != disk.filler} == before
    disk.filler.unlink()
    assert write_everything(sweep_with(0.5).finish(), paths) == []
    assert all(path.read_bytes() != content for path, content in before.items())


def test_any_other_file_that_finds_no_room_is_told_without_a_traceback(disk: Disk, capsys: pytest.CaptureFixture[str]) -> None:
    disk.fill()
    with pytest.raises(typer.Exit) as ended, exit_codes():
        write_atomically(disk.folder / "spec.yaml", "x" * 100)
    assert ended.value.exit_code == ExitCode.FAILED
    assert f"error: {disk.folder}/spec.yaml: No space left on device" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError), exit_codes():
        (disk.folder / "nowhere").read_text()


@pytest.mark.ray
@pytest.mark.slow
def test_a_sweep_goes_on_once_there_is_room_for_its_log_and_then_for_its_plot(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Weights and MLflow's store go elsewhere: what they take of the disk, and when, would be chance.
    # Measuring often fills the log.
    space, training = {"strategy": ["vanilla", {"freeze_depth": 1}]}, {"eval_every": 16}
    write_spec(tmp_path, seeds=1, space=space, training=training, pruning={"instability": False}, final_test=False)
    paths = SweepPaths(disk.folder / "out")
    store = f"tracking.uri=sqlite:///{tmp_path}/mlflow.db"

    run = ("run", "small.yaml", "--output", str(paths.root), "--set", store)
    monkeypatch.chdir(tmp_path)

    disk.resize(12)
    failed = call(*run, folder=tmp_path)
    assert failed.returncode == ExitCode.FAILED, failed.stdout + failed.stderr
    assert f"{paths.events}: the event log cannot be written (No space left on device)" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert paths.events.read_bytes().endswith(b"}\n"), "no torn line"
    begun = [event for event, _ in read_events(paths.events)]

    disk.resize(56)
    done = invoke(*run)
    assert done.exit_code == ExitCode.FAILED, done.output
    assert f"{paths.plot}: cannot be written (No space left on device)" in done.stderr
    events = [event for event, _ in read_events(paths.events)]
    assert events[: len(begun)] == begun
    assert events[-1] == ev.SweepEnded(time=events[-1].time, status="finished", wall_seconds=events[-1].wall_seconds)
    assert paths.trials.stat().st_size
    assert paths.summary.stat().st_size
    assert not paths.plot.exists()

    disk.resize(1024)
    done = invoke(*run)
    assert done.exit_code == ExitCode.DONE, done.output
    assert "finished already" in done.stdout
    assert paths.plot.stat().st_size
    assert [event for event, _ in read_events(paths.events)] == events

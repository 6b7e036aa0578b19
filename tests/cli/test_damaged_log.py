"""A damaged event log, met from the command line: where it is damaged, and how to go on."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from blurb_tune.core.errors import ExitCode
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log.event_log import read_events
from tests.cli.test_app import invoke
from tests.learnable import write_spec


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a spec and, in `out`, the sweep that came of it."""
    folder = tmp_path_factory.mktemp("sweep")
    write_spec(folder, seeds=1, space={"strategy": ["vanilla"]}, final_test=False)
    done = invoke("run", str(folder / "small.yaml"), "--output", str(folder / "out"))
    assert done.exit_code == ExitCode.DONE, done.stderr
    return folder


def flip_a_digit(lines: list[str], index: int) -> None:
    loss = re.search(r'"dev_loss": 0\.\d(\d)', lines[index])
    assert loss is not None
    lines[index] = lines[index][: loss.start(1)] + str((int(loss[1]) + 1) % 10) + lines[index][loss.end(1) :]


def cut_it(lines: list[str], index: int) -> None:
    lines[index] = lines[index][:60] + "\n"


def drop_the_start_of_its_trial(lines: list[str], index: int) -> None:
    trial = re.search(r'"trial": "[^"]+"', lines[index])
    assert trial is not None
    lines.pop(next(i for i, line in enumerate(lines) if '"trial_started"' in line and trial[0] in line))


@pytest.mark.ray
@pytest.mark.parametrize(
    ("damage", "what"),
    [(flip_a_digit, "its checksum does not fit"), (cut_it, "cannot be read"), (drop_the_start_of_its_trial, "are missing")],
)
def test_a_damaged_log_is_told_with_its_line_and_with_how_to_go_on(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[list[str], int], None], what: str
) -> None:
    folder = tmp_path / "a b"
    shutil.copytree(sweep, folder)
    monkeypatch.chdir(folder)
    paths = SweepPaths(folder / "out")
    lines = paths.events.read_text().splitlines(keepends=True)
    damage(lines, next(i for i, line in enumerate(lines) if '"measured"' in line))
    paths.events.write_text("".join(lines))
    paths.delivered.unlink()
    found = {}
    for arguments in (["run", "small.yaml", "--output", str(paths.root)], ["sync", str(paths.root)]):
        done = invoke(*arguments)
        assert done.exit_code == ExitCode.FAILED, done.stderr
        assert what in done.stderr
        found[arguments[0]] = done.stderr
    assert found["run"] == found["sync"]
    place = re.search(r"events\.jsonl:(\d+): this line", found["run"])
    assert place is not None
    number = int(place[1])

    _, remedy = found["run"].split("To go on from before it: ")
    subprocess.run(["bash", "-c", remedy], cwd=folder, check=True)
    assert paths.events.read_text() == "".join(lines[: number - 1])
    if damage is flip_a_digit:  # it goes on from there
        done = invoke("run", "small.yaml", "--output", str(paths.root))
        assert done.exit_code == ExitCode.DONE, done.stderr
        assert len(list(read_events(paths.events))) > number


@pytest.mark.ray
def test_without_its_first_line_a_log_is_nothing(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(sweep, folder)
    monkeypatch.chdir(folder)
    log = SweepPaths(folder / "out").events
    log.write_text(log.read_text().replace('"tiny"', '"tinY"', 1))
    done = invoke("run", "small.yaml", "--output", "out")
    assert done.exit_code == ExitCode.FAILED
    assert "events.jsonl:1: this line of the event log cannot be read" in done.stderr
    assert "name another folder" in done.stderr

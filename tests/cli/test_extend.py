"""A real sweep that grows: on Ray, from its folder alone, with every fault of what is asked for at once."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from blurb_tune.cli.extend import Growth, extend_command
from blurb_tune.core.errors import ExitCode, InputError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.execution import sweep_folder
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import read_events
from blurb_tune.preflight import make_plan
from blurb_tune.spec import load_spec
from tests.cli.test_app import invoke
from tests.learnable import write_spec


def trials(folder: Path) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    with SweepPaths(folder).trials.open() as file:
        for row in csv.DictReader(file):
            found.setdefault(row["configuration"], []).append(row)
    return found


@pytest.mark.ray
@pytest.mark.slow
def test_a_sweep_grows_from_its_folder_and_nothing_runs_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = {"strategy": ["vanilla", {"reinit_count": 2}]}
    write_spec(tmp_path, space=space, confirm=1, budget={"trials": 3})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "out"
    monkeypatch.chdir(tmp_path)
    first = invoke("run", "small.yaml", "-o", str(folder))
    assert first.exit_code == ExitCode.DONE, first.stderr
    assert "Ended by its budget: 3 trials of 3 have begun (`trials`)." in first.stdout
    assert sum(row["confirmation"] == "false" for rows in trials(folder).values() for row in rows) == 3

    monkeypatch.chdir(elsewhere)
    faulty = invoke("extend", "../out", "--seeds", "1", "--confirm", "3", "--budget", "trial=9", "--only", "best")
    assert faulty.exit_code == ExitCode.BAD_INPUT
    assert "--only: expected `winner,vanilla`, but got 'best'" in faulty.stderr
    assert "--budget trial=9: expected `none` or a setting such as `trials=200`; did you mean 'trials'?" in faulty.stderr
    spent = invoke("extend", "../out", "--seeds", "3")
    assert spent.exit_code == ExitCode.BAD_INPUT
    assert "--budget: it is spent (3 trials of 3 have begun); give a larger one, or none" in spent.stderr

    done = invoke("extend", "../out", "--seeds", "3", "--confirm", "2", "--budget", "none")
    assert done.exit_code == ExitCode.DONE, done.stderr
    assert "Larger plan: 2 to 3 seeds of each configuration; 1 to 2 confirmation seeds of winner and vanilla" in done.stdout
    events = [event for event, _ in read_events(SweepPaths(folder).events)]
    begun = [(event.configuration, event.seed) for event in events if isinstance(event, ev.TrialStarted)]
    assert len(begun) == len(set(begun))
    assert {seed for _, seed in begun if seed < 1_000_000} == {0, 1, 2}
    record = json.loads(SweepPaths(folder).summary.read_text())
    assert {name: len(rows) for name, rows in trials(folder).items()} == {"c000": 5, "c001": 3}
    assert record["confirmation"]["winner"]["n"] == 2
    assert "Confirmed on 2 fresh seeds" in done.stdout
    again = invoke("extend", "../out")
    assert again.exit_code == ExitCode.DONE
    assert "This sweep is finished already" in again.stdout


def test_what_has_not_begun_cannot_grow(tmp_path: Path) -> None:
    write_spec(tmp_path)
    paths = SweepPaths(tmp_path / "out")
    paths.root.mkdir()
    sweep_folder.write_spec(make_plan(load_spec(tmp_path / "small.yaml")), paths)
    paths.events.touch()
    with pytest.raises(InputError, match="out: the event log of this sweep is empty: nothing has run yet"):
        extend_command(paths, Growth(seeds=3), quiet=True, as_json=False)

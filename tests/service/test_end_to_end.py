"""A sweep on the services that docker/compose.yaml describes, from a laptop that is no node of the cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.core.errors import ExitCode
from blurb_tune.log.event_log import read_events
from blurb_tune.log.events import TrialStarted
from blurb_tune.service.agent import answer
from tests.cli.test_app import invoke
from tests.learnable import write_spec
from tests.stack import ROOT

pytestmark = [pytest.mark.service, pytest.mark.ray, pytest.mark.slow]
Call = Callable[..., "subprocess.CompletedProcess[str]"]
_PATIENCE = 240.0


@pytest.fixture
def call(stack: dict[str, str], tmp_path: Path) -> Call:
    """The program, in the environment of a client of the stack."""

    def run(*arguments: str, code: ExitCode = ExitCode.DONE) -> subprocess.CompletedProcess[str]:
        environment = os.environ | stack | {"PYTHONPATH": str(ROOT), "BLURB_TUNE_CONFIG": str(tmp_path / "none.yaml")}
        done = subprocess.run(
            [sys.executable, "-m", "blurb_tune", *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


def until(stack: dict[str, str], sweep_id: str, *states: str) -> dict[str, Any]:
    """The status once it is one of `states`; in this process, for a command each time would take the sweep's own cores."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        status = answer({"do": "status", "storage": stack["BLURB_TUNE_STORAGE"], "id": sweep_id})
        if status["state"] in states:
            return status
        assert time.monotonic() < deadline, status
        time.sleep(1)


def test_a_sweep_is_submitted_paused_resumed_and_fetched(
    call: Call, stack: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What asks the job server is a process of its own; the rest, which asks the storage, is called in this one."""
    for name in ("BLURB_TUNE_STORAGE", *(name for name in stack if name.startswith("AWS_"))):
        monkeypatch.setenv(name, stack[name])
    monkeypatch.setenv("BLURB_TUNE_CONFIG", str(tmp_path / "none.yaml"))
    monkeypatch.chdir(tmp_path)
    space = {"strategy": ["vanilla", {"freeze_depth": 1}], "epochs": 8}
    write_spec(tmp_path, final_test=False, recovery={"checkpoint_minutes": 0.02}, space=space)
    assert "fault" not in call("doctor").stdout
    sent = json.loads(call("submit", "small.yaml", "-y", "--json").stdout)
    call("submit", "small.yaml", "--set", "name=other", "--set", "space.epochs=99", "-y")
    until(stack, sent["id"], "running")
    assert invoke("pause", sent["id"]).exit_code == ExitCode.DONE
    assert until(stack, sent["id"], "paused")["owner"] == sent["owner"]
    assert invoke("pause", sent["id"]).exit_code == ExitCode.BAD_INPUT
    call("resume", sent["id"])
    other = json.loads(invoke("list", "--json").stdout)[0]["id"]
    call("stop", other[:7])
    done = until(stack, sent["id"], "finished")
    assert (done["progress"], done["best"]["n"]) == (1.0, 2)
    until(stack, other, "stopped")

    assert "sweep small started" in invoke("logs", sent["id"]).stdout
    # The pause may have come before the first attempt's process wrote a line.
    log = invoke("logs", sent["id"], "--trial", "c000-s0").stdout
    assert re.search(r"c000-s0, attempt [12] on .*\n(.*\n)*.* completed\n", log)
    assert invoke("fetch", sent["id"], "--to", "here").exit_code == ExitCode.DONE
    fetched = tmp_path / "here" / sent["id"]
    rows = (fetched / "trials.csv").read_text().splitlines()
    assert len(rows) == 1 + 4
    starts = [event for event, _ in read_events(fetched / "events.jsonl") if isinstance(event, TrialStarted)]
    assert len({(start.trial, start.attempt) for start in starts}) == len(starts) >= 4
    assert invoke("change", sent["id"], "--set", "sed=1").exit_code == ExitCode.BAD_INPUT

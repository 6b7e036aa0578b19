"""What `list`, `status` and `doctor` show of texts that others wrote."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blurb_tune.cli import service
from blurb_tune.cli.app import app
from blurb_tune.cli.service import show_findings
from blurb_tune.core.errors import ExitCode
from blurb_tune.core.storage import open_storage
from blurb_tune.core.trial import Outcome
from blurb_tune.log.lines import to_line
from blurb_tune.service.kept_sweeps import End, KeptSweep, Submission
from tests.report.sweeps import SweepWriter

ERRORS = [
    "RuntimeError: [enforce fail at alloc_cpu.cpp:127] err == 0.",
    "OSError: none of [/data/x, /data/y] is there :warning:",
]


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep whose trials errored with texts that look like rich's markup, as its message and its owner do."""
    monkeypatch.setenv("BLURB_TUNE_CONFIG", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("COLUMNS", "200")
    folder = tmp_path / "storage"
    kept = KeptSweep(open_storage(str(folder)), "toy-1a2b3c4d")
    kept.submit(Submission("toy-1a2b3c4d", "toy", "ada [/ops]", time.time()))
    sweep = SweepWriter()
    sweep.configuration("c0")
    for seed, reason in enumerate(ERRORS):
        sweep.trial("c0", seed, [], Outcome.ERRORED, reason=reason)
    kept.storage.write("events.jsonl", "".join(f"{to_line(event)}\n" for event in sweep.events).encode())
    kept.end(End(1, ERRORS[1], "", time.time()))
    return folder


def test_status_shows_errors_as_they_are(storage: Path) -> None:
    done = CliRunner().invoke(app, ["status", "toy", "--storage", str(storage)])
    assert done.exit_code == ExitCode.DONE, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split() == f"sweep toy-1a2b3c4d, failed: {ERRORS[1]}".split()
    for seed, reason in enumerate(ERRORS):
        assert any(line.endswith(f"c0-s{seed} errored: {reason}") for line in map(str.rstrip, lines))


def test_list_shows_owners_as_they_are(storage: Path) -> None:
    done = CliRunner().invoke(app, ["list", "--storage", str(storage)])
    assert done.exit_code == ExitCode.DONE, done.output
    assert "ada [/ops]" in done.stdout


def test_findings_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show_findings([{"level": "fault", "what": what, "cure": "free [some] memory"} for what in ERRORS])
    assert capsys.readouterr().out.splitlines() == [f"fault   {what}; free [some] memory" for what in ERRORS]


def test_prune_keeps_what_is_submitted_while_it_asks(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BLURB_CACHE_DIR", "BLURB_TUNE_WORK"):
        monkeypatch.setenv(name, str(storage / "none"))
    sweep = KeptSweep(open_storage(str(storage)), "new-1a2b3c4d")
    sweep.storage.write("submitted/spec.yaml", b"task: demo")

    def submit(question: str) -> bool:
        sweep.submit(Submission(sweep.id, "new", "ada", time.time()))
        return True

    monkeypatch.setattr(service, "is_wanted", submit)
    done = CliRunner().invoke(app, ["prune", "--days", "0", "--storage", str(storage)])
    assert done.exit_code == ExitCode.DONE, done.output
    assert done.stdout.splitlines()[-1] == f"kept: {sweep.storage.uri}, which has changed meanwhile"
    assert sweep.storage.names() == ["submitted/spec.yaml", "sweep.json"]

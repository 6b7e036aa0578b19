"""`blurb-tune ui` as a person meets it: one line, and the page in the browser."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blurb_tune.cli.app import app
from blurb_tune.core.trial import Outcome
from blurb_tune.tracking.delivery import deliver
from blurb_tune.tracking.server import dashboard_url
from tests.cli.test_surroundings import set_traps
from tests.tracking.conftest import EXPERIMENT, Sweep, free_port, wait_until

pytestmark = [pytest.mark.service, pytest.mark.slow]
ROOT = Path(__file__).parent.parent.parent


def test_one_line_and_a_page(sweep: Sweep, uri: str, tmp_path: Path) -> None:
    sweep.start()
    sweep.suggest("c000")
    sweep.trial("c000", 0, Outcome.COMPLETED, [0.5])
    sweep.finish()
    assert deliver(sweep.paths, uri, EXPERIMENT).undelivered == 0
    sweep.paths.spec.write_text("name: quick\ntask: demo\nmodel: tiny\n")
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "a browser talks"\nprintf %s "$1" > {opened}\n')
    browser.chmod(0o755)
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment |= {"BROWSER": str(browser), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "blurb_tune", "ui", str(sweep.paths.root), "--port", str(port)]
    out, err, caught = tmp_path / "out", tmp_path / "err", set_traps(tmp_path)
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=stdout, stderr=stderr, env=environment)
        try:
            wait_until(lambda: out.read_text() or process.poll() is not None, "it has said where the page is", 240)
            wait_until(opened.exists, f"the browser was called: {err.read_text()}")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    address = dashboard_url(sweep.paths, f"http://127.0.0.1:{port}")
    assert address.endswith("/runs?workflowType=machine_learning&viewStateShareKey=blurb-tune")
    lines = [line for line in out.read_text().splitlines() if line != "a browser talks"]
    assert lines == [f"Dashboard: {address}  (Ctrl-C ends it)"]
    assert err.read_text().splitlines() in ([], ["interrupted"])
    assert opened.read_text() == address
    assert not caught.exists(), caught.read_text()


@pytest.mark.parametrize("options", [[], ["--no-browser"]])
def test_no_browser_opens_where_nobody_wants_one(sweep: Sweep, monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    sweep.paths.spec.write_text("name: quick\ntask: demo\nmodel: tiny\ntracking: {uri: 'http://server:5000'}\n")
    opened: list[str] = []
    monkeypatch.setenv("BROWSER", "some")
    monkeypatch.setattr(webbrowser, "open", opened.append)
    done = CliRunner().invoke(app, ["ui", str(sweep.paths.root), *options])
    assert done.stdout == "The runs are on the tracking server: http://server:5000/#/experiments\n"
    if options:
        assert opened == []
    else:
        wait_until(lambda: opened == ["http://server:5000/#/experiments"], "the browser was called")

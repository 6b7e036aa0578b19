"""`blurb-tune ui` as a person meets it: one line, and the page in the browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
import webbrowser
from pathlib import Path
from typing import Any

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


def write_script(file: Path, text: str) -> Path:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def asked_by_the_page(page: str) -> Any:
    """The answer to a question as the dashboard's own page asks it."""
    headers = {"Content-Type": "application/json", "Origin": page}
    request = urllib.request.Request(f"{page}/ajax-api/2.0/mlflow/experiments/search", b'{"max_results": 1}', headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_one_line_and_a_page(sweep: Sweep, uri: str, tmp_path: Path) -> None:
    sweep.start()
    sweep.suggest("c000")
    sweep.trial("c000", 0, Outcome.COMPLETED, [0.5])
    sweep.finish()
    assert deliver(sweep.paths, uri, EXPERIMENT).undelivered == 0
    sweep.paths.spec.write_text("name: quick\ntask: demo\nmodel: tiny\n")
    opened = tmp_path / "opened"
    browser = write_script(tmp_path / "browser", f'echo "a browser talks"\nprintf %s "$1" > {opened}')
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment |= {"BROWSER": str(browser), "PYTHONPATH": str(ROOT)}
    host = "127.0.0.2"  # this machine, by a name that MLflow does not know by itself
    command = [sys.executable, "-m", "blurb_tune", "ui", str(sweep.paths.root), "--host", host, "--port", str(port)]
    out, err, caught = tmp_path / "out", tmp_path / "err", set_traps(tmp_path)
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=stdout, stderr=stderr, env=environment)
        try:
            wait_until(lambda: out.read_text() or process.poll() is not None, "it has said where the page is", 240)
            wait_until(opened.exists, f"the browser was called: {err.read_text()}")
            assert "experiments" in asked_by_the_page(f"http://{host}:{port}")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    address = dashboard_url(sweep.paths, f"http://{host}:{port}")
    assert address.endswith("/runs?workflowType=machine_learning&viewStateShareKey=blurb-tune")
    lines = [line for line in out.read_text().splitlines() if line != "a browser talks"]
    assert lines == [f"Dashboard: {address}  (Ctrl-C ends it)"]
    assert err.read_text().splitlines() in ([], ["interrupted"])
    assert opened.read_text() == address
    assert not caught.exists(), caught.read_text()


def test_the_page_of_a_tracking_server_opens_before_the_command_ends(sweep: Sweep, tmp_path: Path) -> None:
    sweep.paths.spec.write_text("name: quick\ntask: demo\nmodel: tiny\ntracking: {uri: 'http://server:5000'}\n")
    opened = tmp_path / "opened"
    browser = write_script(tmp_path / "browser", f'printf %s "$1" > {opened}')
    write_script(tmp_path / "xdg-settings", "sleep 1")  # what Python asks first where there is a screen
    environment = os.environ | {"BROWSER": str(browser), "DISPLAY": ":0", "PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    command = [sys.executable, "-m", "blurb_tune", "ui", str(sweep.paths.root)]
    subprocess.run(command, env=environment, check=True, timeout=120)
    assert opened.read_text() == "http://server:5000/#/experiments"


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

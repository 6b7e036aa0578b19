"""`blurb-tune ui` as a person meets it: one line, and the page in the browser."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blurb_tune.core.trial import Outcome
from blurb_tune.tracking.delivery import deliver
from blurb_tune.tracking.server import dashboard_url
from tests.tracking.conftest import EXPERIMENT, Sweep, free_port, wait_until

pytestmark = [pytest.mark.service, pytest.mark.slow]
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("has_browser", [True, False])
def test_one_line_and_a_page(sweep: Sweep, uri: str, tmp_path: Path, has_browser: bool) -> None:
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
    options = ["--port", str(port), *([] if has_browser else ["--no-browser"])]
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment |= {"BROWSER": str(browser), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "blurb_tune", "ui", str(sweep.paths.root), *options]
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=environment)
        try:
            wait_until(lambda: out.read_text() or process.poll() is not None, "it has said where the page is", 240)
            if has_browser:
                wait_until(opened.exists, f"the browser was called: {err.read_text()}")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    address = dashboard_url(sweep.paths, f"http://127.0.0.1:{port}")
    assert address.endswith("/runs?workflowType=machine_learning&viewStateShareKey=blurb-tune")
    lines = [line for line in out.read_text().splitlines() if line != "a browser talks"]
    assert lines == [f"Dashboard: {address}  (Ctrl-C ends it)"]
    assert err.read_text().splitlines() in ([], ["interrupted"])
    assert opened.exists() == has_browser
    if has_browser:
        assert opened.read_text() == address

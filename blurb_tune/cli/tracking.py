"""Where a sweep's runs go in MLflow, `sync`, which brings them there, and `ui`, which shows them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from pydantic import ValidationError
from rich.console import Console

from blurb_tune.cli.program import program
from blurb_tune.core.errors import BlurbTuneError, ExitCode
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.spec import SweepSpec
from blurb_tune.spec.earlier import modernize
from blurb_tune.spec.source import read_source
from blurb_tune.tracking.addresses import tracking_uri
from blurb_tune.tracking.delivery import Delivery, deliver
from blurb_tune.tracking.server import dashboard_command, dashboard_url
from blurb_tune.tracking.writer import TrackingWriter

_FLUSH_SECONDS = 60.0
_POLL_SECONDS = 0.3
_ANSWER_SECONDS = 2.0


def sync_command(paths: SweepPaths) -> ExitCode:
    """Deliver what MLflow has not got yet. Returns the exit code."""
    uri, experiment = tracking_target(paths, spec_of(paths))
    try:
        SweepRecord.read(paths.events)
    except BlurbTuneError:
        deliver(paths, uri, experiment, patience=0.0)  # what stands before the damage; waiting would mend nothing
        raise
    delivery = deliver(paths, uri, experiment)
    warn_undelivered(delivery, paths)
    if delivery.undelivered:
        return ExitCode.FAILED
    print(f"{paths.root}: everything is delivered")
    return ExitCode.DONE


def open_dashboard(paths: SweepPaths, host: str, port: int, *, browser: bool = True) -> None:
    """Serve MLflow's dashboard on the sweep's store until Ctrl-C, and open the sweep's page once it answers.

    browser: whether to open it, where there is one. Raises BlurbTuneError when it cannot be served.
    """
    uri, _ = tracking_target(paths, spec_of(paths))
    if uri.startswith("http"):
        _show_page(dashboard_url(paths, uri), "The runs are on the tracking server: {}", browser)
        return
    command = dashboard_command(paths, uri, host, port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryFile() as said, _group(command, said) as server:
        with Console(stderr=True).status("starting MLflow's dashboard"):
            while server.poll() is None and not _answers(host, port):
                time.sleep(_POLL_SECONDS)
        if server.poll() is None:
            _show_page(dashboard_url(paths, f"http://{host}:{port}"), "Dashboard: {}  (Ctrl-C ends it)", browser)
        code = server.wait()
        said.seek(0)
        last = said.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        why = f" ({last[0]})" if last else ""
        raise BlurbTuneError(f"the dashboard ended with exit code {code}{why}; is port {port} in use? Try another --port")


@contextmanager
def _group(command: list[str], output: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A command and the processes that it starts, which end with the context; what they print is no news to the user."""
    server = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        yield server
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def _answers(host: str, port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/health", timeout=_ANSWER_SECONDS) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _show_page(address: str, said: str, browser: bool) -> None:
    print(said.format(address), flush=True)
    if browser and has_browser():
        # What a browser prints is none of ours, and some of them do not return before they are closed.
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def has_browser() -> bool:
    """Whether this machine has a screen, or somebody has named a browser: one in the terminal would take it over."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))


def tracking_target(paths: SweepPaths, spec: SweepSpec) -> tuple[str, str]:
    """The tracking URI and the experiment's name."""
    return tracking_uri(paths, spec.tracking.uri), spec.tracking.experiment or f"blurb-tune/{spec.task_name}"


class Tracking:
    """Has a writer follow the log from the first event on: before it there may be no folder to follow."""

    def __init__(self, paths: SweepPaths, spec: SweepSpec):
        self._paths = paths
        self.uri, self._experiment = tracking_target(paths, spec)
        self._writer: TrackingWriter | None = None

    @property
    def has_begun(self) -> bool:
        """An event has come."""
        return self._writer is not None

    def on_event(self, event: ev.Event) -> None:
        if self._writer is None:
            self._writer = TrackingWriter(self._paths, self.uri, self._experiment)
            self._writer.start()
        self._writer.notify()

    def finish(self) -> Delivery:
        """Deliver what is left, for a minute at most."""
        if self._writer is None:
            return deliver(self._paths, self.uri, self._experiment)
        return self._writer.close(_FLUSH_SECONDS)


def warn_undelivered(delivery: Delivery, paths: SweepPaths) -> None:
    """Say what MLflow has not got, and what brings it there."""
    if delivery.undelivered:
        print(
            f"MLflow has not got {delivery.undelivered} events yet ({delivery.error}); nothing is lost: "
            f"`{program()} sync {paths.root}` delivers them",
            file=sys.stderr,
        )
    for warning in delivery.warnings:
        print(warning, file=sys.stderr)


def spec_of(paths: SweepPaths) -> SweepSpec:
    """The spec of a sweep that is there. Raises BlurbTuneError when the file is none."""
    source = read_source(paths.spec)
    modernize(source.data)
    source.data.pop("pruning", None)  # not asked for here, and an earlier version's has other settings
    try:
        return SweepSpec.model_validate(source.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        fault = source.problem(first["loc"], first["msg"])
        raise BlurbTuneError(f"{fault.where}: this is not the spec of a sweep: {fault.what}") from None

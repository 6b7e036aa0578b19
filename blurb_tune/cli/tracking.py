"""Where a sweep's runs go in MLflow, `sync`, which brings them there, and `ui`, which shows them."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser

from blurb_tune.cli.program import program
from blurb_tune.cli.servers import address_of, check_port, serving
from blurb_tune.core.errors import BlurbTuneError, ExitCode
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.spec import SweepSpec
from blurb_tune.tracking.delivery import Delivery, deliver
from blurb_tune.tracking.server import dashboard_command, dashboard_url
from blurb_tune.tracking.target import spec_of, tracking_target
from blurb_tune.tracking.writer import TrackingWriter

_FLUSH_SECONDS = 60.0
_BROWSER_SECONDS = 10.0


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
    if not delivery.is_complete:
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
    check_port(host, port)
    address = address_of(host, port)
    with serving(command, os.environ, address, "MLflow's dashboard") as wait:
        _show_page(dashboard_url(paths, address), "Dashboard: {}  (Ctrl-C ends it)", browser)
        wait()


def _show_page(address: str, said: str, browser: bool) -> None:
    print(said.format(address), flush=True)
    if browser and has_browser():
        # Some browsers do not return before they are closed. The others need a moment, in which this process must not end.
        opening = threading.Thread(target=webbrowser.open, args=(address,), daemon=True)
        opening.start()
        opening.join(_BROWSER_SECONDS)


def has_browser() -> bool:
    """Whether this machine has a screen, or somebody has named a browser: one in the terminal would take it over."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))


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
    if delivery.undelivered or delivery.error:
        count = delivery.undelivered
        lacks = f"has not got {count} events yet" if count else "has had all events, but takes nothing now"
        print(
            f"MLflow {lacks} ({delivery.error}); nothing is lost: `{program()} sync {paths.root}` delivers what is missing",
            file=sys.stderr,
        )
    for warning in delivery.warnings:
        print(warning, file=sys.stderr)

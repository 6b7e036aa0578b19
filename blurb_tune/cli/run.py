"""`run`, `sync` and `ui`: a sweep from the command line, what is seen of it, and where its runs go."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from pydantic import ValidationError
from rich.console import Console

from blurb_tune.cli.live import open_view
from blurb_tune.cli.render import plain_summary, summary_view
from blurb_tune.cli.streams import output_fault
from blurb_tune.core.errors import BlurbTuneError, ExitCode, UnwrittenError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.report.provenance import provenance_of
from blurb_tune.report.summary import summarise
from blurb_tune.report.tables import write_all
from blurb_tune.spec import SweepSpec, load_spec
from blurb_tune.spec.earlier import modernize
from blurb_tune.spec.source import read_source
from blurb_tune.tracking.addresses import page_address, tracking_uri
from blurb_tune.tracking.delivery import Delivery, deliver
from blurb_tune.tracking.server import dashboard_command, dashboard_url, runs_address
from blurb_tune.tracking.writer import TrackingWriter

if TYPE_CHECKING:
    from blurb_tune.execution.keeping import Keeping

_SECONDS_BETWEEN_TABLES = 30.0
_REST_BETWEEN_TABLES = 20  # times what writing them took: it grows with the sweep, and must not slow it down
_FLUSH_SECONDS = 60.0


def run_command(
    file: Path,
    overrides: Sequence[str],
    output: Path | None,
    *,
    quiet: bool,
    as_json: bool,
    interrupted: threading.Event | None = None,
) -> ExitCode:
    """Run a sweep and show it, until `interrupted` is set. Returns the exit code."""
    started = time.monotonic()
    plan = make_plan(load_spec(file, overrides))
    # Ray and torch take seconds to import, which a mistake in the spec should not have to wait for.
    from blurb_tune.execution.folder import check_folder, default_folder
    from blurb_tune.execution.keeping import kept

    paths = SweepPaths(output or default_folder(plan))
    with kept(plan.spec.storage, paths, interrupted) as keeping:
        check_folder(plan, paths)
        return run_plan(plan, paths, started, quiet=quiet, as_json=as_json, keeping=keeping)


def run_plan(
    plan: Plan,
    paths: SweepPaths,
    started: float,
    *,
    quiet: bool,
    as_json: bool,
    extension: ev.SweepExtended | None = None,
    keeping: Keeping | None = None,
) -> ExitCode:
    """Run what the folder, which has been checked, lacks of the plan, and show it. Returns the exit code.

    started: a time.monotonic(). extension: makes the sweep in the folder as large as the plan. keeping: what keeps the sweep's
    storage in step, where there is one.
    """
    from blurb_tune.execution.driver import run_sweep

    for warning in plan.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    console = Console(quiet=quiet or as_json)
    tables, tracking = Tables(paths), Tracking(paths, plan.spec)
    past = SweepRecord.read(paths.events) if paths.events.exists() else SweepRecord()
    failure: BlurbTuneError | None = None
    if past.status == "finished" and extension is None:
        console.print(f"This sweep is finished already; {paths.root} holds what came of it.")
    else:
        interrupted = keeping.interrupted if keeping else threading.Event()
        with _stop_on_signal(console, interrupted), open_view(console, record=past) as view:
            listeners = [tables.on_event, view.on_event, tracking.on_event, *([keeping.on_event] if keeping else [])]
            abandon = partial(_abandon, paths, keeping)

            def tell_waiting(text: str) -> None:
                if keeping is not None:
                    keeping.notes["waiting_for"] = text
                if text:
                    console.print(text)

            if keeping is not None and tracking.uri.startswith("http"):
                keeping.notes["tracking"] = page_address(tracking.uri)
            try:
                run_sweep(
                    plan,
                    paths,
                    listeners=listeners,
                    interrupted=interrupted,
                    started=started,
                    extension=extension,
                    abandon=abandon,
                    tell_waiting=tell_waiting,
                    is_lost=lambda: keeping is not None and keeping.is_lost,
                )
            except BlurbTuneError as error:
                if not tracking.has_begun:
                    raise
                # Such as a final test that fails when all the rest is done: what there is is shown and kept all the same.
                failure = error
    record = SweepRecord.read(paths.events)
    unwritten = write_everything(record, paths) + (keeping.close() if keeping else [])
    delivery = tracking.finish()
    if failure is not None and not as_json:
        record.status = "stopped"  # to the log it is an interruption like any other, to the user it is not
    _show_result(console, record, paths, quiet=quiet, as_json=as_json)
    _warn_undelivered(delivery, paths)
    for fault in unwritten:
        print(f"{fault}; nothing is lost, and the same command again writes it", file=sys.stderr)
    if as_json and failure is None and (lost := output_fault()):
        failure = BlurbTuneError(f"the summary cannot be printed ({lost.strerror}); it is in {paths.summary}")
    if failure is not None:
        raise failure
    code = _exit_code(record)
    return ExitCode.FAILED if unwritten and code is ExitCode.DONE else code


def _abandon(paths: SweepPaths, keeping: Keeping | None) -> None:
    """The cluster is lost: keep what there is, say so, and leave; nothing that waits for Ray comes back."""
    unwritten = write_everything(SweepRecord.read(paths.events), paths) + (keeping.close() if keeping else [])
    for fault in unwritten:
        print(fault, file=sys.stderr)
    print(
        "error: the Ray cluster is lost; everything so far is kept, and the sweep can be resumed", file=sys.stderr, flush=True
    )
    if keeping is not None:
        keeping.abandoned()
    os._exit(ExitCode.CLUSTER_LOST)


def sync_command(paths: SweepPaths) -> ExitCode:
    """Deliver what MLflow has not got yet. Returns the exit code."""
    uri, experiment = tracking_target(paths, spec_of(paths))
    try:
        SweepRecord.read(paths.events)
    except BlurbTuneError:
        deliver(paths, uri, experiment, patience=0.0)  # what stands before the damage; waiting would mend nothing
        raise
    delivery = deliver(paths, uri, experiment)
    _warn_undelivered(delivery, paths)
    if delivery.undelivered:
        return ExitCode.FAILED
    print(f"{paths.root}: everything is delivered")
    return ExitCode.DONE


def open_dashboard(paths: SweepPaths, host: str, port: int) -> None:
    """Serve MLflow's dashboard on the sweep's store until Ctrl-C. Raises BlurbTuneError when it cannot be served."""
    spec = spec_of(paths)
    uri, _ = tracking_target(paths, spec)
    if uri.startswith("http"):
        print(f"The runs are on the tracking server: {dashboard_url(paths, uri)}")
        return
    command = dashboard_command(paths, uri, host, port)
    print(f"Dashboard: {dashboard_url(paths, f'http://{host}:{port}')}  (Ctrl-C ends it)", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = subprocess.Popen(command, start_new_session=True)
    try:
        code = server.wait()
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()
    raise BlurbTuneError(f"the dashboard ended with exit code {code}; is port {port} in use? Try another --port")


def tracking_target(paths: SweepPaths, spec: SweepSpec) -> tuple[str, str]:
    """The tracking URI and the experiment's name."""
    return tracking_uri(paths, spec.tracking.uri), spec.tracking.experiment or f"blurb-tune/{spec.task_name}"


def write_everything(record: SweepRecord, paths: SweepPaths) -> list[str]:
    """The tables, the figure of all seeds and the report. Returns which of them cannot be written and why; all others are."""
    from blurb_tune.report.figures.export import write_png
    from blurb_tune.report.figures.seeds import seeds_figure

    writers: list[Callable[[], None]] = [lambda: write_all(record, paths)]
    if (figure := seeds_figure(record)) is not None:
        writers.append(lambda: write_png(figure, paths.plot))
    faults: list[str] = []
    for write in writers:
        try:
            write()
        except UnwrittenError as error:
            faults += error.faults
    return faults + _write_report(record, paths)


def _write_report(record: SweepRecord, paths: SweepPaths) -> list[str]:
    """A fault of the report itself is said, and is none of the sweep's: `report` makes it again."""
    from blurb_tune.report.writing import write_page

    try:
        write_page(record, provenance_of(paths, runs_address(paths)), paths.report)
    except OSError as error:
        return [f"{paths.report}: cannot be written ({error.strerror})"]
    except Exception as error:  # whatever a page stumbles over, the sweep is over and its numbers stand in the tables
        print(f"{paths.report}: no report, because of a fault in it: {error!r}", file=sys.stderr)
    return []


class Tables:
    """Keeps the tables in step with the log, now and then: somebody may look at them while the sweep runs."""

    def __init__(self, paths: SweepPaths):
        self._paths = paths
        self._record: SweepRecord | None = None
        self._due = time.monotonic() + _SECONDS_BETWEEN_TABLES

    def on_event(self, event: ev.Event) -> None:
        if self._record is None:  # of a sweep that is resumed the log holds what came before
            self._record = SweepRecord.read(self._paths.events)
        else:
            self._record.apply(event)
        is_due = isinstance(event, ev.ConfigurationEnded) and time.monotonic() > self._due
        # At the end at once: whoever sent SIGTERM may not wait until Ray is gone.
        if is_due or isinstance(event, ev.SweepEnded):
            started = time.monotonic()
            write_all(self._record, self._paths)
            took = time.monotonic() - started
            self._due = time.monotonic() + max(_SECONDS_BETWEEN_TABLES, _REST_BETWEEN_TABLES * took)


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


def _show_result(console: Console, record: SweepRecord, paths: SweepPaths, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps(summarise(record), indent=2, allow_nan=False), flush=True)
        return
    if quiet:
        print(paths.root)
        return
    console.print()
    if console.is_terminal:
        console.print(summary_view(record))
    else:
        print(plain_summary(record))
    print(f"Report:                  {paths.report}")
    print(f"Tables, plot, event log: {paths.root}/")
    print(f"Dashboard of the runs:   {program()} ui {paths.root}")
    if record.status == "interrupted":
        print("Interrupted; everything so far is kept. The same command again goes on from here.")


def _warn_undelivered(delivery: Delivery, paths: SweepPaths) -> None:
    if delivery.undelivered:
        print(
            f"MLflow has not got {delivery.undelivered} events yet ({delivery.error}); nothing is lost: "
            f"`{program()} sync {paths.root}` delivers them",
            file=sys.stderr,
        )
    for warning in delivery.warnings:
        print(warning, file=sys.stderr)


def _exit_code(record: SweepRecord) -> ExitCode:
    if record.status == "interrupted":
        return ExitCode.INTERRUPTED
    errored = [trial for trial in record.trials.values() if trial.is_final and trial.outcome is Outcome.ERRORED]
    untested = [test for test in record.tests.values() if test.error]
    if errored:
        first = errored[0]
        print(f"{len(errored)} trials errored, the first was {first.trial_id}: {first.reason}\n{first.error}", file=sys.stderr)
    if untested:
        print(f"{len(untested)} runs not tested, the first was {untested[0].trial}: {untested[0].error}", file=sys.stderr)
    if errored or untested:
        return ExitCode.FAILED
    return ExitCode.DONE if record.no_result is None else ExitCode.NO_RESULT


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


def program() -> str:
    """How the user called this program, for commands to copy."""
    called = sys.argv[0]
    if Path(called).name == "__main__.py":
        return "python -m blurb_tune"
    return "blurb-tune" if shutil.which("blurb-tune") == called else os.path.relpath(called)


@contextmanager
def _stop_on_signal(console: Console, interrupted: threading.Event) -> Iterator[None]:
    """Ctrl-C, SIGTERM or SIGHUP sets the event; a second one ends the process the hard way."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def stop(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.signal(number, signal.default_int_handler)
        console.print("stopping: the log is safe, running trials leave a checkpoint (again to stop at once)")

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

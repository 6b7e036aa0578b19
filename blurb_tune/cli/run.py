"""`run`, `sync` and `ui`: a sweep from the command line, what is seen of it, and where its runs go."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console

from blurb_tune.cli.live import open_view
from blurb_tune.cli.program import program
from blurb_tune.cli.render import plain_summary, summary_view
from blurb_tune.cli.streams import output_fault
from blurb_tune.cli.sweep_files import Tables, write_everything
from blurb_tune.cli.tracking import Tracking, warn_undelivered
from blurb_tune.cli.view import View
from blurb_tune.core.errors import BlurbTuneError, ExitCode
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.pulse import Onlooker, Pulse
from blurb_tune.core.trial import Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.report.final_scores import untested_trials
from blurb_tune.report.summary import summarize
from blurb_tune.spec import load_spec
from blurb_tune.tracking.addresses import page_address
from blurb_tune.tracking.delivery import Delivery, load_mlflow

if TYPE_CHECKING:
    from blurb_tune.execution.storage_session import StorageSession

_IMPORTED_LATER = ("blurb_tune.report.report_files", "blurb_tune.report.figures.image_files")


def run_command(
    file: Path,
    overrides: Sequence[str],
    output: Path | None,
    *,
    quiet: bool,
    as_json: bool,
    keeping: StorageSession | None = None,
) -> ExitCode:
    """Run a sweep and show it. Returns the exit code. keeping: see `keep`."""
    console = Console(quiet=quiet or as_json)
    with open_view(console, str(file)) as view:
        run = run_spec(file, overrides, output, view, keeping)
    return run.show(console, quiet=quiet, as_json=as_json)


def run_spec(
    spec: Path | Mapping[str, Any],
    overrides: Sequence[str],
    output: Path | None,
    view: View,
    keeping: StorageSession | None = None,
    *,
    prefix: str = "--set ",
) -> SweepRun:
    """Check a spec, a file or what one would hold, and run what its folder lacks of it; `view` is open.

    keeping: see `keep`. prefix: see `load_spec`. Raises InputError with everything that is wrong, and BlurbTuneError when the
    sweep cannot begin.
    """
    started = time.monotonic()
    view.on_phase("checking the spec, its data and this machine")
    plan = make_plan(load_spec(spec, overrides, prefix=prefix), purpose="resume")
    # Ray takes seconds to import, which a mistake in the spec should not have to wait for.
    view.on_phase("loading Ray")
    from blurb_tune.execution.sweep_folder import check_folder, default_folder

    paths = SweepPaths(output or default_folder(plan))
    with keep(plan.spec.storage, paths, keeping) as session:
        check_folder(plan, paths)
        run = SweepRun(plan, paths, started, view, keeping=session)
        run.run()
    return run


def keep(uri: str | None, paths: SweepPaths, keeping: StorageSession | None) -> AbstractContextManager[StorageSession | None]:
    """What keeps the storage `uri` in step with a sweep: `keeping` of a caller who has the lease, else one that takes it."""
    from blurb_tune.execution.storage_session import storage_session

    return storage_session(uri, paths) if keeping is None else nullcontext(keeping)


class SweepRun:
    """One driver's work on a sweep, seen in `view` while it lasts, and then what came of it.

    started: a time.monotonic(). extension: makes the sweep in the folder as large as the plan. keeping: what keeps the sweep's
    storage in step, where there is one.
    """

    def __init__(
        self,
        plan: Plan,
        paths: SweepPaths,
        started: float,
        view: View,
        *,
        extension: ev.SweepExtended | None = None,
        keeping: StorageSession | None = None,
    ):
        self._plan, self.paths, self._started, self._view = plan, paths, started, view
        self._extension, self._keeping = extension, keeping
        self._failure: BlurbTuneError | None = None
        self._unwritten: list[str] = []
        self._delivery = Delivery(0)

    def run(self) -> None:
        """Run what the folder, which has been checked, lacks of the plan; write and deliver all that there is.

        Raises BlurbTuneError when it cannot begin.
        """
        paths, keeping, view = self.paths, self._keeping, self._view
        for warning in self._plan.warnings:
            print(f"Warning: {warning}", file=sys.stderr)
        tracking = Tracking(paths, self._plan.spec)
        past = SweepRecord.read(paths.events) if paths.events.exists() else SweepRecord()
        lacks_test = self._plan.spec.final_test and self._plan.has_test and untested_trials(past)
        if past.status == "finished" and self._extension is None and not lacks_test:
            view.say(f"This sweep is finished already; {paths.root} holds what came of it.")
        else:
            view.begin(f"{self._plan.spec.name}: {self._plan.task.name}, {', '.join(self._plan.models)}", paths.root, past)
            self._drive(tracking)
        view.on_phase("writing the tables and the report")
        self._unwritten = write_everything(SweepRecord.read(paths.events), paths) + (keeping.close() if keeping else [])
        view.on_phase("delivering the rest to MLflow")
        self._delivery = tracking.finish()
        if (name := self._plan.spec.tracking.register_as) is not None:
            self._register(name)

    def _register(self, name: str) -> None:
        """Put the winner into MLflow's registry. Where that fails, the sweep is done all the same."""
        record = SweepRecord.read(self.paths.events)
        if record.status != "finished" or record.selection is None:
            return
        from blurb_tune.release.register import register_winner

        try:
            self._view.say(f"The winner is {register_winner(self.paths, name, self._view.on_phase)}.")
        except BlurbTuneError as error:
            self._unwritten.append(f"the winner is not registered as {name!r}: {error}")

    def _drive(self, tracking: Tracking) -> None:
        from blurb_tune.execution.driver import run_sweep

        imports = threading.Thread(target=_import_what_comes_later, args=(tracking.uri,), name="imports", daemon=True)
        imports.start()
        paths, keeping = self.paths, self._keeping
        interrupted = keeping.interrupted if keeping else threading.Event()
        if keeping is not None and tracking.uri.startswith("http"):
            keeping.notes["tracking"] = page_address(tracking.uri)
        listeners = [Tables(paths).on_event, self._view.on_event, tracking.on_event, *([keeping.on_event] if keeping else [])]
        try:
            with _stop_on_signal(self._view, interrupted):
                run_sweep(
                    self._plan,
                    paths,
                    listeners=listeners,
                    interrupted=interrupted,
                    started=self._started,
                    extension=self._extension,
                    abandon=partial(_abandon, paths, keeping, imports),
                    onlooker=_Onlookers(self._view, keeping),
                    is_lost=lambda: keeping is not None and keeping.is_lost,
                )
        except BlurbTuneError as error:
            if not tracking.has_begun:
                raise
            # Such as a final test that fails when all the rest is done: what there is is shown and kept all the same.
            self._failure = error
        finally:
            imports.join()  # while one thread imports a package, another that imports a part of it finds it half made

    def show(self, console: Console, *, quiet: bool, as_json: bool) -> ExitCode:
        """Print what came of it. Returns the exit code. Raises BlurbTuneError where the sweep ended by one."""
        record = SweepRecord.read(self.paths.events)
        if self._failure is not None and not as_json:
            record.status = "stopped"  # to the log it is an interruption like any other, to the user it is not
        _show_result(console, record, self.paths, quiet=quiet, as_json=as_json)
        if as_json and self._failure is None and (lost := output_fault()):
            self._failure = BlurbTuneError(f"the summary cannot be printed ({lost.strerror}); it is in {self.paths.summary}")
        return self.conclude(record)

    def conclude(self, record: SweepRecord) -> ExitCode:
        """Say on stderr what is missing. Returns the exit code. Raises BlurbTuneError where the sweep ended by one."""
        warn_undelivered(self._delivery, self.paths)
        for fault in self._unwritten:
            print(f"{fault}; nothing is lost, and the same command again writes it", file=sys.stderr)
        if self._failure is not None:
            raise self._failure
        code = _exit_code(record)
        return ExitCode.FAILED if self._unwritten and code is ExitCode.DONE else code


class _Onlookers(Onlooker):
    """The view, and the status that others read where there is a storage."""

    def __init__(self, view: View, keeping: StorageSession | None):
        self._view, self._keeping = view, keeping

    def on_phase(self, text: str) -> None:
        self._view.on_phase(text)

    def on_waiting(self, text: str) -> None:
        if self._keeping is not None:
            self._keeping.notes["waiting_for"] = text
        self._view.on_waiting(text)

    def on_pulses(self, pulses: Sequence[Pulse]) -> None:
        self._view.on_pulses(pulses)


def _import_what_comes_later(uri: str) -> None:
    """While the driver waits for others: what it would wait for else, once trials run and in the end. uri: of MLflow."""
    with suppress(Exception):  # whoever needs it says what is wrong with it
        load_mlflow(uri)
        for module in _IMPORTED_LATER:
            import_module(module)


def _abandon(paths: SweepPaths, keeping: StorageSession | None, imports: threading.Thread) -> None:
    """The cluster is lost: keep what there is, say so, and leave; nothing that waits for Ray comes back."""
    try:
        imports.join()
        if keeping is not None:
            keeping.notes["state"] = "lost"
        unwritten = write_everything(SweepRecord.read(paths.events), paths) + (keeping.close() if keeping else [])
        for fault in unwritten:
            print(fault, file=sys.stderr)
        said = "error: the Ray cluster is lost; everything so far is kept, and the sweep can be resumed"
        print(said, file=sys.stderr, flush=True)
        if keeping is not None:
            keeping.release_lease()
    finally:  # the storage may be lost with it
        os._exit(ExitCode.CLUSTER_LOST)


def _show_result(console: Console, record: SweepRecord, paths: SweepPaths, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps(summarize(record), indent=2, allow_nan=False), flush=True)
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


def _exit_code(record: SweepRecord) -> ExitCode:
    if record.status == "interrupted":
        return ExitCode.INTERRUPTED
    errored = [trial for trial in record.trials.values() if trial.is_final and trial.outcome is Outcome.ERRORED]
    tests = (record.tests.get(trial.trial_id) for trial in untested_trials(record))
    untested = [test for test in tests if test is not None and test.error]
    if errored:
        first = errored[0]
        print(f"{len(errored)} trials errored, the first was {first.trial_id}: {first.reason}\n{first.error}", file=sys.stderr)
    if untested:
        first_of_them = f"the first was {untested[0].trial}: {untested[0].error}"
        print(f"{len(untested)} runs not tested, {first_of_them}; the same command again tests them", file=sys.stderr)
    if errored or untested:
        return ExitCode.FAILED
    return ExitCode.DONE if record.no_result is None else ExitCode.NO_RESULT


@contextmanager
def _stop_on_signal(view: View, interrupted: threading.Event) -> Iterator[None]:
    """Ctrl-C, SIGTERM or SIGHUP sets the event; a second one ends the process the hard way."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def stop(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.signal(number, signal.default_int_handler)
        view.say("stopping: the log is safe, running trials leave a checkpoint (again to stop at once)")

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

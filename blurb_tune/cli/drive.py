"""`drive`: what runs on the cluster for a submitted sweep: it does what `run` and `extend` do, and follows requests.

All that it writes into the storage it writes under the sweep's lease, which it holds from its beginning to its end.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Set
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from blurb_tune.cli.extend import Growth, extend_command
from blurb_tune.cli.run import run_command
from blurb_tune.core.errors import BlurbTuneError, ExitCode, InputError
from blurb_tune.core.lease import Lease
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.storage import FolderStorage, Storage, open_storage
from blurb_tune.execution.storage_session import StorageSession
from blurb_tune.log.event_log import find_events, has_events
from blurb_tune.log.events import Event, SweepExtended
from blurb_tune.service.changes import changes
from blurb_tune.service.driver_log import copy_output
from blurb_tune.service.kept_sweeps import CLAIMS, DRIVER_LOG, PAYLOAD, End, KeptSweep, Request
from blurb_tune.service.notify import notify
from blurb_tune.service.prune import work_folder
from blurb_tune.service.sweep_state import HALTS

_POLL_SECONDS = 2.0
_TRACKING = "MLFLOW_TRACKING_URI"


def drive_command(uri: str, sweep_id: str) -> ExitCode:
    """Run the sweep that lies in the storage `uri` to its end, or until somebody asks for another.

    Raises BlurbTuneError, and leaves all as it is, where another driver is at work on it or the storage does not answer.
    """
    storage = open_storage(uri)
    sweep = KeptSweep(storage, sweep_id)
    paths = SweepPaths(_work_folder(sweep))
    driver = _Driver(storage.uri, sweep, paths)
    with ExitStack() as stack:
        with _reaching(sweep.storage):
            stack.enter_context(Lease(sweep.storage.child(CLAIMS), lost=driver.lose))
        stack.enter_context(copy_output(paths.root / DRIVER_LOG, sweep.storage))
        code, message = ExitCode.FAILED, ""
        try:
            code, message = driver.run()
        except BlurbTuneError as error:
            code, message = ExitCode.BAD_INPUT if isinstance(error, InputError) else ExitCode.FAILED, str(error)
            print(f"error: {message}", file=sys.stderr, flush=True)
        except KeyboardInterrupt:  # or SIGTERM, as from Ray where a driver that has not begun is called off
            code = ExitCode.INTERRUPTED
            raise
        finally:
            if not driver.is_lost:
                _conclude(sweep, code, message)
        return code


def _conclude(sweep: KeptSweep, code: ExitCode, message: str) -> None:
    """Write down how this driver ends, answer whoever wanted it to, and tell whoever wants to know."""
    halts: list[tuple[str, Request]] = []
    with suppress(OSError):
        halts = [(name, request) for name, request in sweep.requests() if request.command in HALTS]
    reason = halts[0][1].command if halts and code is ExitCode.INTERRUPTED else ""
    end = End(int(code), message, reason, time.time())
    with suppress(OSError):
        sweep.end(end)
        for name, _ in halts:
            sweep.answer(name)
    notify(sweep, end)


def _work_folder(sweep: KeptSweep) -> Path:
    """The sweep's folder itself where it is one, else one of this machine, for this user's eyes."""
    if isinstance(sweep.storage, FolderStorage):
        return sweep.storage.root
    home = work_folder()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if home.stat().st_uid != os.getuid():
        raise BlurbTuneError(f"{home} belongs to somebody else; name another folder in BLURB_TUNE_WORK")
    return home / sweep.id


class _Driver:
    """What the holder of a sweep's lease does. is_lost: another driver has it."""

    def __init__(self, uri: str, sweep: KeptSweep, paths: SweepPaths):
        self._uri, self._sweep, self._paths = uri, sweep, paths
        self._session: _Session | None = None
        self._taken: set[str] = set()  # requests for more that are followed, have been, or are refused
        self.is_lost = False

    def lose(self) -> None:
        self.is_lost = True
        if self._session is not None:
            self._session.lose()

    def run(self) -> tuple[ExitCode, str]:
        """The exit code, and what is to be said."""
        with _reaching(self._sweep.storage):
            self._bring()
        message = ""
        while True:
            with _reaching(self._sweep.storage):
                session, request = self._take_up()
            watch = _Watch(self._sweep, session, self._taken)
            try:
                growth = Growth() if request is None else replace(growth_of(request[1]), request=request[0])
                with watch:
                    code = self._run(growth, session)
            except KeyboardInterrupt:
                if session.has_logged or not session.interrupted.is_set():  # a signal, which a waiting change does not outlast
                    raise
                code = ExitCode.INTERRUPTED  # before the log could say so
            except InputError as error:
                if request is None or session.has_logged:
                    raise
                # A change that cannot be made changes nothing: the sweep goes on as it was.
                message = f"not changed: {error}"
                print(message, file=sys.stderr, flush=True)
                continue
            is_through = code is not ExitCode.INTERRUPTED
            if is_through or session.has_logged:
                self._answer()
            if not (watch.wants_growth or (is_through and self._is_asked_for_more())):
                return code, message

    def _take_up(self) -> tuple[_Session, tuple[str, Request] | None]:
        """The hold of the next run on the storage, and the request that the run follows, with its name."""
        session = self._session = _Session(self._sweep.storage, self._paths, threading.Event())
        if self.is_lost:
            raise BlurbTuneError(f"{self._sweep.storage.uri}: another driver has taken this sweep over")
        self._sweep.begin()
        session.fetch()
        request = self._next_growth()
        if request is not None:
            self._taken.add(request[0])
        return session, request

    def _next_growth(self) -> tuple[str, Request] | None:
        """The oldest request for more that the log has not got; a sweep grows once it has begun."""
        if not has_events(self._paths.events):
            return None
        self._taken |= {event.request for event in find_events(self._paths.events, SweepExtended)}
        waiting = (item for item in self._sweep.requests() if item[1].command not in HALTS)
        return next((item for item in waiting if item[0] not in self._taken), None)

    def _is_asked_for_more(self) -> bool:
        with suppress(OSError):
            return self._next_growth() is not None
        return False

    def _answer(self) -> None:
        """A run has begun, so the log has what there was to be followed, and what was refused is not at fault for more."""
        with suppress(OSError):  # where they stay, the log says that they were followed
            for name, _ in list(self._sweep.requests()):
                if name in self._taken and not self.is_lost:
                    self._sweep.answer(name)

    def _run(self, growth: Growth, session: _Session) -> ExitCode:
        if session.interrupted.is_set():
            return ExitCode.INTERRUPTED
        if has_events(self._paths.events):
            return extend_command(self._paths, growth, quiet=False, as_json=False, keeping=session)
        spec = self._paths.root / PAYLOAD / "spec.yaml"
        overrides = [f"storage={self._uri}", "cluster=auto"]
        if os.environ.get(_TRACKING) and yaml.safe_load(spec.read_text(encoding="utf-8"))["tracking"]["uri"] is None:
            overrides.append(f"tracking.uri=${{{_TRACKING}}}")  # the cluster has a server, and the spec names none
        return run_command(spec, overrides, self._paths.root, quiet=False, as_json=False, keeping=session)

    def _bring(self) -> None:
        """What was submitted, and the plan in force, where this machine has not got them; the log comes with each run."""
        place, root = self._sweep.storage, self._paths.root
        if isinstance(place, FolderStorage):
            return
        for name in place.names():
            if name.startswith(f"{PAYLOAD}/") or name == "spec.yaml":
                file = root / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(place.read(name))


class _Session(StorageSession):
    """has_logged: the log has an event of this run, and before it what the sweep grows by."""

    has_logged = False

    def on_event(self, event: Event) -> None:
        self.has_logged = True
        self.notes.pop("state", None)
        if isinstance(event, SweepExtended):  # up to the next event, the log's last word is that of the run before
            self.notes["state"] = "starting"
        super().on_event(event)


class _Watch:
    """Looks for requests while a run lasts, and interrupts it when there is another than those in `followed`.

    One for more waits until the log has what the run itself grows by. wants_growth: it was such a one.
    """

    def __init__(self, sweep: KeptSweep, session: _Session, followed: Set[str]):
        self._sweep, self._session, self._followed = sweep, session, followed
        self.wants_growth = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="requests", daemon=True)

    def __enter__(self) -> Self:
        self._look_once()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(30.0)

    def _look(self) -> None:
        while not self._session.interrupted.is_set() and not self._stop.wait(_POLL_SECONDS):
            self._look_once()

    def _look_once(self) -> None:
        waiting: list[Request] = []
        with suppress(OSError):  # the storage is away; the next look may find it
            waiting = [request for name, request in self._sweep.requests() if name not in self._followed]
        halts = [request for request in waiting if request.command in HALTS]
        if halts or (waiting and self._session.has_logged):
            asked = (halts or waiting)[0]
            print(f"{asked.command}, asked for by {asked.by}", flush=True)
            self.wants_growth = not halts
            self._session.interrupted.set()


@contextmanager
def _reaching(storage: Storage) -> Iterator[None]:
    """A storage that is away is no traceback."""
    try:
        yield
    except OSError as error:
        raise BlurbTuneError(f"storage: {storage.uri} does not answer: {error}") from None


def growth_of(request: Request) -> Growth:
    """What a `change` or `retry` means. Settings are by key path, as `--set` has them. Raises InputError."""
    if request.command == "retry":
        return Growth(errored_again=True)
    values = changes([f"{key}={json.dumps(value)}" for key, value in request.arguments.items()])
    return Growth(
        seeds=values.get("seeds"),
        configurations=values.get("search.configurations"),
        confirm=values.get("confirm"),
        budget=[
            f"{key.removeprefix('budget.')}={json.dumps(value)}" for key, value in values.items() if key.startswith("budget.")
        ],
        settings={key: value for key, value in values.items() if key in ("resources.concurrency", "priority")},
    )

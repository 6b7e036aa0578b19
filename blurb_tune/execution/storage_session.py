"""A driver's hold on a sweep in the storage: the lease, a copy of its log, and its status."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.lease import Claim, Lease
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.storage import FolderStorage, Storage
from blurb_tune.execution.sweep_folder import storage_of
from blurb_tune.log.events import Event
from blurb_tune.log.mirror import LogMirror, fetch_log
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.progress import Progress
from blurb_tune.report.status import status_of

STATUS = "status.json"
CLAIMS = "claims"
EVENTS = "events"
_SECONDS_BETWEEN_STATUS = 5.0
_FLUSH_SECONDS = 60.0


class StorageSession:
    """Observes the log of a sweep, and keeps its storage up to date.

    interrupted: set when another driver has taken the sweep over, which `is_lost` says. notes: what else the status says.
    """

    def __init__(self, storage: Storage, paths: SweepPaths, interrupted: threading.Event):
        self.storage, self.interrupted = storage, interrupted
        self.notes: dict[str, str] = {}
        self.is_lost = False
        self._paths = paths
        self._mirror: LogMirror | None = None
        self._progress: Progress | None = None
        self._due = 0.0
        self._has_begun = False

    def fetch(self) -> None:
        """Bring the log here, and copy what comes behind it. A folder that all share holds the log itself."""
        if not isinstance(self.storage, FolderStorage):
            events = self.storage.child(EVENTS)
            start, drivers = fetch_log(events, self._paths.events)
            self._mirror = LogMirror(self._paths.events, events, start, drivers + 1)

    def lose(self) -> None:
        """Another driver has taken the sweep over: this one writes nothing any more."""
        self.is_lost = True
        self.interrupted.set()

    def on_event(self, event: Event) -> None:
        """To be called by the log, as an observer."""
        if self._mirror is not None:
            if not self._has_begun:
                self._mirror.start()
            self._mirror.notify(event)
        self._has_begun = True
        if self._progress is None:  # the log holds what came before, and this event
            self._progress = Progress(SweepRecord.read(self._paths.events))
        else:
            self._progress.apply(event)
        if time.monotonic() >= self._due:
            with suppress(OSError):  # the storage is away; a later event writes it
                self._write_status()
            self._due = time.monotonic() + _SECONDS_BETWEEN_STATUS

    def close(self) -> list[str]:
        """Bring the rest there, also the files beside the log. Returns what could not be brought and why."""
        if not self._has_begun or self.is_lost:
            return []
        faults = []
        with suppress(OSError):
            self._write_status()
        if self._mirror is not None:
            if fault := self._mirror.close(_FLUSH_SECONDS):
                faults.append(f"{self.storage.uri}: the end of the event log is only in {self._paths.root} ({fault})")
            paths = self._paths
            for file in (paths.spec, paths.trials, paths.configurations, paths.summary, paths.plot, paths.report):
                try:
                    if file.exists():
                        self.storage.write(file.name, file.read_bytes())
                except OSError as error:
                    faults.append(f"{self.storage.uri}/{file.name}: {error}")
        return faults

    def release_lease(self) -> None:
        """The process ends at once: give the lease back, which a dead driver holds until it is found to be dead."""
        with suppress(OSError):
            claims = self.storage.child(CLAIMS)
            for name in claims.names():
                claim = Claim.of(claims.read(name))
                if claim is not None and claim.pid == os.getpid():
                    claims.delete(name)

    def _write_status(self) -> None:
        if self._progress is not None:
            status = status_of(self._progress, time.time()) | {"written": time.time(), **self.notes}
            self.storage.write(STATUS, json.dumps(status, allow_nan=False).encode())


@contextmanager
def storage_session(uri: str | None, paths: SweepPaths) -> Iterator[StorageSession | None]:
    """Hold the lease of a sweep in the storage `uri`, and have its log here as the storage has it.

    None for a sweep that only this machine reaches. Raises BlurbTuneError when another driver is at work on it, or the storage
    does not answer.
    """
    if uri is None:
        yield None
        return
    storage = storage_of(uri, paths)
    session = StorageSession(storage, paths, threading.Event())
    with ExitStack() as stack:
        try:
            stack.enter_context(Lease(storage.child(CLAIMS), lost=session.lose))
            session.fetch()
        except OSError as error:
            raise BlurbTuneError(f"storage: {storage.uri} does not answer: {error}") from None
        yield session

"""Carries a sweep's event log over to MLflow, and remembers how far it got."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.secrets import redact
from blurb_tune.tasks.encoding.cache import cache_folder
from blurb_tune.tracking import dashboard
from blurb_tune.tracking.addresses import lies_in, redact_error, sqlite_file
from blurb_tune.tracking.backlog import Backlog
from blurb_tune.tracking.bookmark import Bookmark
from blurb_tune.tracking.parallel import for_each
from blurb_tune.tracking.run_data import RefusedError, RunUpdate, identity
from blurb_tune.tracking.sqlite import copy_of, ensure_store, follow_move

if TYPE_CHECKING:
    from blurb_tune.tracking.store import Store

_LONGEST_PAUSE = 30.0
_CONNECTIONS = 4  # as many as a server has workers, where nobody says otherwise
_MLFLOW_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # a POST repeated by the HTTP client would create a run twice
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # a failure is reported once, by our caller, without secrets
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",  # a model would take along the `uv.lock` of whoever's folder this is
}


@dataclass(frozen=True)
class Delivery:
    """What has come of a delivery. undelivered counts events; error is the last one's text, without secrets.

    Where all events are delivered there can be an error all the same, such as that of a server which is asked for the runs
    that it had; warnings are of files and values that it has not got.
    """

    undelivered: int
    error: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether MLflow has all of it, for certain."""
        return not (self.undelivered or self.error or self.warnings)


class Deliverer:
    """Delivers one sweep's log to one MLflow, from where the last delivery stopped, or from the start where runs are missing.

    It retries until each event is delivered: after a failure `attempt` repeats what is not certain to have arrived. To be
    used by one thread. One process at a time can deliver a sweep.
    """

    def __init__(self, paths: SweepPaths, uri: str, experiment: str):
        self.error = ""
        self.pause = 0.0
        self._paths, self._uri, self._experiment = paths, uri, experiment
        self._backlog = Backlog(paths.events)
        # The store in the sweep's folder goes by its name alone: the folder may be moved.
        self._mark = Bookmark(paths.mlflow_store.name if lies_in(paths, uri) else redact(uri), experiment)
        self._warnings: tuple[str, ...] = ()
        self._losses: list[str] = []
        self._lock: IO[bytes] | None = None
        self._store: Store | None = None
        self._had_failures = False
        self._refused: dict[tuple[str | None, int], str] = {}

    @property
    def offset(self) -> int:
        """Bytes of the log that MLflow has for certain."""
        return self._backlog.offset

    def attempt(self, give_up: Callable[[], bool] = lambda: False, is_last: bool = False, patience: float = 0.0) -> bool:
        """Deliver all that the log holds, and the sweep's files as well if this `is_last`. Never raises.

        patience: runs that began so few seconds ago wait for a later call, unless they have ended or this `is_last`.

        Returns whether everything else arrived. Where it did not, because of a failure or because `give_up` said so, `error`
        says why and `pause` how many seconds to leave the server alone.
        """
        try:
            self._take_lock()
            done = self._deliver(give_up, 0.0 if is_last else patience)
            if done and is_last:
                self._finish()
        except Exception as error:  # whatever fails between here and the server's disk: the log keeps the events
            self.error = redact_error(error, self._uri)
            self.pause = min(_LONGEST_PAUSE, max(1.0, 2 * self.pause))
            self._store, self._had_failures = None, True
            if isinstance(error, RefusedError):
                self._refused[error.run] = self.error
                self.pause = 0.0
            return False
        self.error, self.pause = "", 0.0
        return done

    def result(self) -> Delivery:
        """Where the delivery stands."""
        return Delivery(self._backlog.count(), self.error, (*self._losses, *self._warnings))

    def close(self) -> None:
        """Let another process deliver."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        """Become the only one to deliver, and go on from the bookmark if it is of this MLflow and this log."""
        if self._lock is not None:
            return
        lock = self._paths.tracking_lock.open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise BlurbTuneError(f"{self._paths.root}: another process is delivering this sweep to MLflow") from None
        self._lock = lock
        mark = Bookmark.load(self._paths.delivered)
        if (
            mark
            and self._backlog.size
            and mark.is_for(self._mark, self._backlog.sweep_id())
            and self._backlog.skip_to(mark.offset)
        ):
            self._mark = mark

    def _deliver(self, give_up: Callable[[], bool], patience: float) -> bool:
        if self._backlog.size == 0:
            return True
        if self._store is None:
            self._store = self._connect()
        end = self._backlog.size  # what the log gets meanwhile gathers for the next call

        def is_early(update: RunUpdate) -> bool:
            return abs(time.time() - update.started / 1000) < patience  # a clock that was set back keeps no run waiting

        while (piece := self._backlog.next_piece(is_early)) is not None:
            of_sweep = [update for update in piece if update.trial is None]
            of_trials = [update for update in piece if update.trial is not None]
            write, threads = partial(self._write, self._store), _CONNECTIONS if self._uri.startswith("http") else 1
            # The trials' runs are made below the sweep's own. What is on its way to a server is mostly waited for.
            if not for_each(of_sweep, write, threads=1, give_up=give_up):
                return False
            if not for_each(of_trials, write, threads=threads, give_up=give_up):
                return False
            self._backlog.advance()
            self._save(replace(self._mark, offset=self._backlog.offset))
            if self._backlog.read_to >= end:
                break
        return True

    def _write(self, store: Store, update: RunUpdate) -> None:
        """Write one update. What MLflow refuses again, after the runs have been looked up again, is logged and skipped:
        else a single value that it does not like would keep everything behind it from arriving."""
        refused = self._refused.pop((update.trial, update.attempt), None)
        try:
            store.write(update)
        except RefusedError as error:
            if refused is None:
                raise
            said = redact_error(error, self._uri)
            self._losses.append(f"the run {update.name!r} lacks something that MLflow refuses: {said}")
            with contextlib.suppress(RefusedError):
                store.write(replace(update, tags=identity(update.tags), params={}, points=[], data=None))

    def _connect(self) -> Store:
        """Open the store, and start over when it has not the runs that the bookmark promises."""
        sweep_id = self._backlog.sweep_id()
        store = open_store(self._paths, self._uri, self._experiment, sweep_id)
        if not all(store.holds(trial, attempt) for trial, attempt in self._backlog.delivered_runs().items()):
            self._backlog.rewind()
        if self._backlog.offset == 0:
            self._mark = Bookmark(self._mark.uri, self._experiment, sweep_id, store.experiment_id)
        self._mark = replace(self._mark, view=dashboard.KEY)
        return store

    def _finish(self) -> None:
        """Remove what a request left behind that was given up as lost and arrived late; then keep files as artifacts."""
        if self._store is None or not self._store.run_id:
            return
        if self._had_failures:
            self._store.find_runs()
            self._had_failures = False
        warnings = []
        for file in _files(self._paths):
            try:
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                if self._mark.files.get(file.name) != digest:
                    self._upload(self._store, file)
                    self._save(replace(self._mark, files=self._mark.files | {file.name: digest}))
            except Exception as error:  # artifacts may lie on another service than the runs, with faults of its own
                warnings.append(f"{file.name} could not be stored as an MLflow artifact: {redact_error(error, self._uri)}")
        self._warnings = tuple(warnings)

    def _upload(self, store: Store, file: Path) -> None:
        if file == self._paths.spec:  # it may name the tracking server with a password, which not all who see the runs know
            store.upload_text(redact(file.read_text(encoding="utf-8")), file.name)
        else:
            store.upload(file)

    def _save(self, mark: Bookmark) -> None:
        mark.save(self._paths.delivered)
        self._mark = mark


def deliver(paths: SweepPaths, uri: str, experiment: str, patience: float = 15.0) -> Delivery:
    """Deliver the sweep's log to MLflow now; gives up when nothing has gone through for `patience` seconds.

    Raises BlurbTuneError when there is no event log.
    """
    if not paths.events.is_file():
        raise BlurbTuneError(f"{paths.root}: no event log here; expected the folder of a sweep")
    deliverer = Deliverer(paths, uri, experiment)
    offset, since = 0, time.monotonic()
    try:
        while not deliverer.attempt(is_last=True):
            if deliverer.offset > offset:
                offset, since = deliverer.offset, time.monotonic()
            if time.monotonic() - since + deliverer.pause > patience:
                break
            time.sleep(deliverer.pause)
        return deliverer.result()
    finally:
        deliverer.close()


def load_mlflow(uri: str = "") -> None:
    """Import MLflow, which takes seconds, with settings that fit a background thread where the user has set none.

    uri: of what is to be used, by which it is known what is needed besides.
    """
    for name, value in _MLFLOW_SETTINGS.items():
        os.environ.setdefault(name, value)
    import_module("blurb_tune.tracking.store")
    if sqlite_file(uri) is not None:
        import_module("mlflow.store.tracking.sqlalchemy_store")


def open_store(paths: SweepPaths, uri: str, experiment: str, sweep_id: str) -> Store:
    """Make the store where it is an SQLite database that is not there yet, and look the runs up. Raises what MLflow raises."""
    load_mlflow()
    from blurb_tune.tracking.store import Store, make_database

    file, cache = sqlite_file(uri), cache_folder()
    if file is not None and "%" not in str(file):  # SQLAlchemy and MLflow disagree on what that means
        is_ours = lies_in(paths, uri)
        make = copy_of(cache / f"mlflow-{version('mlflow-skinny')}.db", make_database) if cache else make_database
        ensure_store(file, make, is_ours=is_ours)
        if is_ours:
            follow_move(file, paths.mlflow_artifacts)
    home = SweepPaths(file.parent) if file else paths
    artifacts = None if uri.startswith("http") else home.mlflow_artifacts.resolve().as_uri()
    return Store(uri, experiment, artifacts, sweep_id)


def _files(paths: SweepPaths) -> list[Path]:
    files = (paths.spec, paths.trials, paths.configurations, paths.summary, paths.plot, paths.report)
    return [file for file in files if file.is_file()]

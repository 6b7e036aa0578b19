"""The event log: every fact of a sweep, one JSON object a line, in the order in which it became true.

The driver appends an event before anything else hears of it. The Optuna studies, the MLflow runs, the terminal view and the
tables are derived from the log and can be rebuilt from it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shlex
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Self, TypeVar

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import open_file
from blurb_tune.log.events import Event
from blurb_tune.log.lines import from_line, to_line

Listener = Callable[[Event], None]
E = TypeVar("E", bound=Event)
_MOST_FAULTS = 5
_SECONDS_BETWEEN_SYNCS = 1.0
MAX_LINE = 2**26
_logger = logging.getLogger(__name__)


class _Observer:
    """A reader of events whose faults are logged once, and which is dropped after several in a row."""

    def __init__(self, listener: Listener):
        self._listener = listener
        self._faults = 0

    def __call__(self, event: Event) -> None:
        if self._faults >= _MOST_FAULTS:
            return
        try:
            self._listener(event)
            self._faults = 0
        except Exception as error:  # a view or a table must not stop a sweep; the log has the event
            self._faults += 1
            name = getattr(self._listener, "__qualname__", repr(self._listener))
            if self._faults == 1:
                _logger.warning("%s failed at a %s event, and the sweep goes on: %r", name, event.kind, error)
            elif self._faults == _MOST_FAULTS:
                _logger.warning("%s failed %d times in a row, and is left out from now on", name, _MOST_FAULTS)


def read_events(path: Path, start: int = 0) -> Iterator[tuple[Event, int]]:
    """Events from byte `start` on, each with the offset behind it. A torn last line is left out.

    Raises BlurbTuneError, with file and line and how to go on, when a line that is not the last cannot be read.
    """
    with _open(path) as file:
        file.seek(start)
        while raw := file.readline(MAX_LINE + 1):
            if len(raw) > MAX_LINE:
                raise damaged_line_error(path, file.tell() - len(raw), f"has more than {MAX_LINE:,} bytes")
            if not raw.endswith(b"\n"):
                return
            try:
                event = from_line(raw.decode("utf-8"))
            except ValueError as error:
                end = file.tell()
                if not file.read(1):
                    return
                raise damaged_line_error(path, end - len(raw), f"cannot be read: {error}") from None
            yield event, file.tell()


def fold_events(path: Path, apply: Callable[[Event], None], start: int = 0) -> Iterator[int]:
    """Apply the events from byte `start` on, one after the other; the offset behind each.

    Raises BlurbTuneError as `read_events` does, and where `apply` says by a LookupError that an event cannot follow.
    """
    for event, end in read_events(path, start):
        try:
            apply(event)
        except LookupError as error:
            what = f"does not follow from those before it, of which some are missing, or stand twice: {error}"
            raise damaged_line_error(path, start, what) from None
        start = end
        yield end


def find_events(path: Path, kind: type[E]) -> list[E]:
    """The events of one kind, without reading the others; a line that cannot be read is left to `read_events`."""
    start = f'{{"kind": "{kind.kind}"'.encode()
    found = []
    with _open(path) as file:
        while raw := file.readline(MAX_LINE):
            if raw.startswith(start) and raw.endswith(b"\n"):
                with suppress(ValueError):
                    event = from_line(raw.decode("utf-8"))
                    found += [event] if isinstance(event, kind) else []
    return found


def has_events(path: Path) -> bool:
    """Whether the log is there and holds something: a driver may end between making the file and its first event."""
    return path.exists() and next(read_events(path), None) is not None


def _open(path: Path) -> BinaryIO:
    try:
        return open_file(path)
    except OSError as error:
        raise BlurbTuneError(f"{path}: the event log cannot be read ({error.strerror})") from None


def damaged_line_error(path: Path, offset: int, fault: str) -> BlurbTuneError:
    """The error of a log whose line at byte `offset` is not what was written, with its number and what to do."""
    with _open(path) as file:
        before = sum(file.readline().endswith(b"\n") for _ in iter(lambda: file.tell() < offset, False))
    log, copy = shlex.quote(str(path)), shlex.quote(f"{path}.damaged")
    remedy = (
        f"To go on from before it: cp {log} {copy} && head -n {before} {copy} > {log}"
        if before
        else "Without the first line there is nothing to go on from: name another folder"
    )
    return BlurbTuneError(f"{path}:{before + 1}: this line of the event log {fault}. {remedy}")


class EventLog:
    """The one writer of a sweep's `events.jsonl`. Opening it drops a torn last line; a second writer is refused."""

    def __init__(self, path: Path, lock: Path, *, is_lost: Callable[[], bool] = lambda: False):
        """is_lost: whether another machine has become the writer, which no lock here can tell."""
        self._path, self._is_lost = path, is_lost
        self._fault: BlurbTuneError | None = None
        self._turn = threading.RLock()  # a lost cluster is written down by a thread that watches
        self._followers: list[Listener] = []
        self._observers: list[_Observer] = []
        self._lock: IO[bytes] = lock.open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise BlurbTuneError(f"{path.parent}: another process is running this sweep") from None
        path.touch()
        try:
            end = max((offset for _, offset in read_events(path)), default=0)
        except BlurbTuneError:
            self._lock.close()
            raise
        # Without a buffer, in which a line that the disk did not take would wait for the next one.
        self._file: IO[bytes] = path.open("r+b", buffering=0)
        self._file.truncate(end)
        self._file.seek(end)
        self._end = end
        self._is_dirty, self._closing = threading.Event(), threading.Event()
        self._syncer = threading.Thread(target=self._sync, name="log-sync", daemon=True)

    def follow(self, follower: Listener) -> None:
        """Have the state that decisions need follow the log: called first with each event, and whatever it raises counts."""
        self._followers.append(follower)

    def observe(self, observer: Listener) -> None:
        """Have a reader called with each event, behind all followers; what it raises is logged and stops nothing."""
        self._observers.append(_Observer(observer))

    def append(self, event: Event) -> None:
        """Write the event through to the file, then call followers and observers.

        Raises BlurbTuneError when it cannot be written, such as on a full disk: nobody has heard of the event then, and no
        later one is taken, since it would follow from a state that is not in the log.
        """
        with self._turn:
            self._append(event)

    def _append(self, event: Event) -> None:
        if self._fault is None and self._is_lost():
            self._fault = BlurbTuneError(f"{self._path.parent}: another driver has taken this sweep over")
        if self._fault is not None:
            raise self._fault
        try:
            self._write(to_line(event).encode("utf-8") + b"\n")
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
            self._fault = BlurbTuneError(
                f"{self._path}: the event log cannot be written ({error.strerror}); run the same command again once it can"
            )
            raise self._fault from None
        for follower in self._followers:
            follower(event)
        for observer in self._observers:
            observer(event)

    def _write(self, line: bytes) -> None:
        """All of it: the system may take a line in parts."""
        rest = memoryview(line)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._end += len(line)
        self._is_dirty.set()
        if self._syncer.ident is None:
            self._syncer.start()

    def _sync(self) -> None:
        """A machine that loses its power loses a second of the log; to wait for the disk at each line would cost more."""
        while not self._closing.wait(_SECONDS_BETWEEN_SYNCS):
            if self._is_dirty.is_set():
                self._is_dirty.clear()
                with suppress(OSError):  # the next line's own write says what is wrong with the disk
                    os.fdatasync(self._file.fileno())

    def close(self) -> None:
        if self._file.closed:
            return
        self._closing.set()
        if self._syncer.ident is not None:
            self._syncer.join()
            with suppress(OSError):
                os.fdatasync(self._file.fileno())
        self._file.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

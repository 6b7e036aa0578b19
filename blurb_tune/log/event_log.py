"""The event log: every fact of a sweep, one JSON object a line, in the order in which it became true.

The driver appends an event before anything else hears of it. The Optuna studies, the MLflow runs, the terminal view and the
tables are derived from the log and can be made anew from it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.log.events import Event, from_line, to_line


def read_events(path: Path, start: int = 0) -> Iterator[tuple[Event, int]]:
    """Events from byte `start` on, each with the offset behind it. A torn last line is left out.

    Raises BlurbTuneError, with file and line, when a line that is not the last cannot be read.
    """
    with path.open("rb") as file:
        file.seek(start)
        number = 0
        while raw := file.readline():
            number += 1
            if not raw.endswith(b"\n"):
                return
            try:
                event = from_line(raw.decode("utf-8"))
            except ValueError as error:
                if not file.read(1):
                    return
                place = f"{path}:{number}" if start == 0 else f"{path} (line {number} after byte {start})"
                raise BlurbTuneError(f"{place}: this line of the event log cannot be read: {error}") from None
            yield event, file.tell()


class EventLog:
    """The one writer of a sweep's `events.jsonl`. Opening it drops a torn last line; a second writer is refused."""

    def __init__(self, path: Path, lock: Path):
        self._path = path
        self._listeners: list[Callable[[Event], None]] = []
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
        self._file: IO[bytes] = path.open("r+b")
        self._file.truncate(end)
        self._file.seek(end)

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """Have `listener` called with each event once it is in the log."""
        self._listeners.append(listener)

    def append(self, event: Event) -> None:
        """Write the event through to the file, then tell the listeners."""
        self._file.write(to_line(event).encode("utf-8") + b"\n")
        self._file.flush()
        for listener in self._listeners:
            listener(event)

    def close(self) -> None:
        self._file.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

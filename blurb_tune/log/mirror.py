"""Keeps a copy of the event log where it outlives the driver's machine, and gets it back from there."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from blurb_tune.core.background_copy import BackgroundCopy
from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.storage import Storage

_SUFFIX = ".jsonl"
_NAME = re.compile(r"([0-9]{15})\.([0-9]{6})\.jsonl")
_SEGMENT_BYTES = 1 << 20


class LogMirror(BackgroundCopy):
    """Copies the log from byte `start` on, in segments: an object cannot grow, only be replaced.

    A segment is named by the byte at which it begins and by its driver, counted from 1. The last one is written again as the
    log grows, until it is full. Since each driver begins a segment of its own, one that was taken for dead and comes back
    overwrites nothing of its successor's. To be notified of each event.
    """

    def __init__(self, log: Path, storage: Storage, start: int, driver: int):
        super().__init__("log", storage.uri)
        self._log, self._storage, self._driver = log, storage, driver
        self._start = self._end = start  # of the last segment, as far as it is copied

    def _copy(self) -> None:
        with self._log.open("rb") as file:
            while True:
                file.seek(self._start)
                data = file.read(_SEGMENT_BYTES) + file.readline()
                data = data[: data.rfind(b"\n") + 1]
                if self._start + len(data) > self._end:
                    self._storage.write(f"{self._start:015d}.{self._driver:06d}{_SUFFIX}", data)
                    self._end = self._start + len(data)
                if len(data) < _SEGMENT_BYTES // 2:
                    return
                self._start = self._end


def fetch_log(storage: Storage, path: Path) -> tuple[int, int]:
    """Have the log at `path` go on from what the storage holds, which is the truth. How many bytes that are, and its drivers.

    What only this machine has stays where it goes on from there, and is moved aside where it does not: its driver was lost
    before it could copy it, and another went on. Raises BlurbTuneError where a segment is missing, and OSError where the
    storage does not answer.
    """
    log, drivers = whole_log(storage)
    here = path.read_bytes() if path.exists() else b""
    if not here.startswith(log):
        if not log.startswith(here):
            path.replace(path.with_name(f"{path.name}.{int(time.time())}.aside"))
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_bytes(log)
        temporary.replace(path)
    return len(log), drivers


def whole_log(storage: Storage) -> tuple[bytes, int]:
    """What all segments make together, and how many drivers wrote them. Raises as `fetch_log` does."""
    log, drivers = bytearray(), 0
    for driver, start, name in sorted(_segments(storage)):
        if start > len(log):
            raise BlurbTuneError(f"{storage.uri}: the event log lacks what stands before {name}")
        log[start:] = storage.read(name)
        drivers = max(drivers, driver)
    return bytes(log), drivers


def _segments(storage: Storage) -> Iterator[tuple[int, int, str]]:
    """Driver, first byte and name of each."""
    for name in storage.names():
        if found := _NAME.fullmatch(name):
            yield int(found[2]), int(found[1]), name

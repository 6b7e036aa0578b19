"""Keeps a copy of the event log where it outlives the driver's machine, and gets it back from there."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.storage import Storage
from blurb_tune.log.events import Event

_SUFFIX = ".jsonl"
_NAME = re.compile(r"([0-9]{15})\.([0-9]{6})\.jsonl")
_SEGMENT_BYTES = 1 << 20
_SECONDS_BETWEEN_COPIES = 2.0
_LONGEST_PAUSE = 30.0
_logger = logging.getLogger(__name__)


class LogMirror:
    """Copies the log from byte `start` on, in segments: an object cannot grow, only be replaced.

    A segment is named by the byte at which it begins and by its driver, counted from 1. The last one is written again as the
    log grows, until it is full. Since each driver begins a segment of its own, one that was taken for dead and comes back
    overwrites nothing of its successor's. To be notified of each event; a thread copies within seconds, and goes on trying
    while the storage is away.
    """

    def __init__(self, log: Path, storage: Storage, start: int, driver: int):
        self._log, self._storage, self._driver = log, storage, driver
        self._start = self._end = start  # of the last segment, as far as it is copied
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-mirror", daemon=True)
        self.fault = ""

    def start(self) -> None:
        self._thread.start()

    def notify(self, event: Event) -> None:
        """The log has grown; fit to observe it."""
        self._news.set()

    def close(self, timeout: float) -> str:
        """Copy what is left. Returns why something is not copied, an empty text where all is."""
        self._closing.set()
        self._news.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if self._thread.is_alive():
            return self.fault or f"{self._storage.uri} takes too long to answer"
        return self.fault

    def _run(self) -> None:
        pause = _SECONDS_BETWEEN_COPIES
        while True:
            self._news.wait(_LONGEST_PAUSE)
            is_last = self._closing.is_set()
            self._news.clear()
            try:
                self._copy()
                if self.fault:
                    _logger.warning("%s is back, and has the whole log", self._storage.uri)
                self.fault, pause = "", _SECONDS_BETWEEN_COPIES
            except OSError as error:
                if not self.fault:
                    _logger.warning("%s takes nothing at present, the log is kept here: %s", self._storage.uri, error)
                self.fault, pause = str(error) or type(error).__name__, min(_LONGEST_PAUSE, 2 * pause)
                self._news.set()
            if is_last:
                return
            self._closing.wait(pause)

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

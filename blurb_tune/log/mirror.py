"""Keeps a copy of the event log where it outlives the driver's machine, and gets it back from there."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.storage import Storage
from blurb_tune.log.events import Event

_SUFFIX = ".jsonl"
_SEGMENT_BYTES = 1 << 20
_SECONDS_BETWEEN_COPIES = 2.0
_LONGEST_PAUSE = 30.0
_logger = logging.getLogger(__name__)


class LogMirror:
    """Copies the log in segments, each named by the byte at which it begins: an object cannot grow, only be replaced.

    The last segment is written again as the log grows, until it is full. To be notified of each event; a thread copies within
    seconds, and goes on trying while the storage is away.
    """

    def __init__(self, log: Path, storage: Storage):
        self._log, self._storage = log, storage
        self._start = self._end = 0  # of the last segment, as far as it is copied
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-mirror", daemon=True)
        self.fault = ""

    def start(self) -> None:
        self._start = max((int(name.removesuffix(_SUFFIX)) for name in _segments(self._storage)), default=0)
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
                    self._storage.write(f"{self._start:015d}{_SUFFIX}", data)
                    self._end = self._start + len(data)
                if len(data) < _SEGMENT_BYTES // 2:
                    return
                self._start = self._end


def fetch_log(storage: Storage, path: Path) -> None:
    """Have the log at `path` go on from what the storage holds, which is the truth.

    What only this machine has is moved aside: its driver was lost before it could copy it, and another may have gone on.
    Raises BlurbTuneError where a segment is missing, and OSError where the storage does not answer.
    """
    parts: list[bytes] = []
    length = 0
    for name in _segments(storage):
        start = int(name.removesuffix(_SUFFIX))
        if start > length:
            raise BlurbTuneError(f"{storage.uri}: the event log lacks what stands before {name}")
        data = storage.read(name)
        if start < length:  # a full segment that was written again before the next one began
            parts = [b"".join(parts)[:start]]
        parts.append(data)
        length = start + len(data)
    if not length:
        return
    log = b"".join(parts)
    if path.exists():
        here = path.read_bytes()
        if here == log:
            return
        if not log.startswith(here):
            path.replace(path.with_name(f"{path.name}.{int(time.time())}.aside"))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(log)
    temporary.replace(path)


def _segments(storage: Storage) -> list[str]:
    return [name for name in storage.names() if name.endswith(_SUFFIX) and name.removesuffix(_SUFFIX).isdigit()]

"""What the process of a trial logs, kept beside its sweep: Ray's own logs go with the node."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from blurb_tune.core.storage import Storage

_SECONDS_BETWEEN_COPIES = 10.0


class TrialLog(logging.Handler):
    """Keeps the process's log by trial, one after another: this package's from INFO on, others' warnings, and Python's."""

    def __init__(self, storage: Storage | None):
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        self._storage = storage
        self._name, self._lines, self._due = "", list[str](), 0.0
        logging.getLogger().addHandler(self)
        logging.getLogger(__package__.partition(".")[0]).setLevel(logging.INFO)
        logging.captureWarnings(True)
        logging.getLogger("transformers").propagate = True  # which it turns off

    def begin(self, name: str) -> None:
        """From now on it is another trial's."""
        self.flush()
        self._name, self._lines, self._due = name, [], 0.0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n"
            print(line, end="", flush=True)  # for Ray's own log
            self._lines.append(line)
        except Exception:  # as `logging.Handler.emit` has it: no line of a log ends a trial
            self.handleError(record)

    def flush_if_due(self) -> None:
        if time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Bring it to the storage; where that is away, the next time brings it."""
        if self._storage is not None and self._name and self._lines:
            self._due = time.monotonic() + _SECONDS_BETWEEN_COPIES
            with suppress(OSError):
                self._storage.write(f"{self._name}.log", "".join(self._lines).encode())

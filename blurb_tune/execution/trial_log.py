"""What a trial says of itself, kept beside its sweep: Ray's own logs go with the node."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from blurb_tune.core.storage import Storage

_SECONDS_BETWEEN_COPIES = 10.0


class TrialLog(logging.Handler):
    """Lines with the time, from `say` and from the process's own logging, of one trial after another."""

    def __init__(self, storage: Storage | None):
        super().__init__(logging.WARNING)
        self._storage = storage
        self._name, self._lines, self._due = "", list[str](), 0.0
        logging.getLogger().addHandler(self)

    def begin(self, name: str) -> None:
        """From now on it is another trial's."""
        self.flush()
        self._name, self._lines, self._due = name, [], 0.0

    def say(self, text: str) -> None:
        print(text, flush=True)  # for Ray's own log
        self._add(text)

    def emit(self, record: logging.LogRecord) -> None:
        self._add(self.format(record))

    def flush_if_due(self) -> None:
        if time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Bring it to the storage; where that is away, the next time brings it."""
        if self._storage is not None and self._name and self._lines:
            self._due = time.monotonic() + _SECONDS_BETWEEN_COPIES
            with suppress(OSError):
                self._storage.write(f"{self._name}.log", "".join(self._lines).encode())

    def _add(self, text: str) -> None:
        self._lines.append(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

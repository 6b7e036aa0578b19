"""Copies what grows to a place that may be away for a while, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

_SECONDS_BETWEEN_COPIES = 2.0
_LONGEST_PAUSE = 30.0
_logger = logging.getLogger(__name__)


class BackgroundCopy(ABC):
    """Copies within seconds of a notice, and goes on trying while the place is away.

    what: is copied. place: where to. fault: why the place took nothing the last time; empty where it did.
    """

    def __init__(self, what: str, place: str):
        self._what, self._place = what, place
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"copy-of-{what}", daemon=True)
        self.fault = ""

    @abstractmethod
    def _copy(self) -> None:
        """Copy what the place lacks. Raises OSError where the place is away."""

    def start(self) -> None:
        self._thread.start()

    def notify(self, event: object = None) -> None:
        """There is more to copy; fit to observe a log."""
        self._news.set()

    def close(self, timeout: float) -> str:
        """Copy what is left. Returns why something is not copied, an empty text where all is."""
        self._closing.set()
        self._news.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if self._thread.is_alive():
            return self.fault or f"{self._place} takes too long to answer"
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
                    _logger.warning("%s is back, and has the whole %s", self._place, self._what)
                self.fault, pause = "", _SECONDS_BETWEEN_COPIES
            except OSError as error:
                if not self.fault:
                    _logger.warning("%s takes nothing at present, the %s is kept here: %s", self._place, self._what, error)
                self.fault, pause = str(error) or type(error).__name__, min(_LONGEST_PAUSE, 2 * pause)
                self._news.set()
            if is_last:
                return
            self._closing.wait(pause)

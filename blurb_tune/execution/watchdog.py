"""Ends a process that hangs: a kernel or a network file system that never returns would hold its slot for ever."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable

_logger = logging.getLogger(__name__)
_LOOKS = 10
_LONGEST_REST = 5.0
_SECONDS_FOR_A_WORD = 10.0


class Watchdog:
    """To be fed at every step, until `rest`. When it is not for `seconds`, all stacks are logged and the process ends.

    hangs: called before, to leave a word for the driver.
    """

    def __init__(self, seconds: float | None, hangs: Callable[[], None]):
        self._seconds, self._hangs = seconds, hangs
        self._fed: float | None = None
        if seconds is not None:
            threading.Thread(target=self._look, args=(seconds,), name="watchdog", daemon=True).start()

    def feed(self) -> None:
        self._fed = time.monotonic()

    def rest(self) -> None:
        """Nothing is to be done at present."""
        self._fed = None

    def _look(self, seconds: float) -> None:
        while True:
            time.sleep(min(_LONGEST_REST, seconds / _LOOKS))
            fed = self._fed
            if fed is not None and time.monotonic() - fed > seconds:
                _logger.error("no step for %.0f s, the process ends; the stacks of its threads:\n%s", seconds, _stacks())
                word = threading.Thread(target=self._hangs, daemon=True)  # it may hang where the process does
                word.start()
                word.join(_SECONDS_FOR_A_WORD)
                os._exit(1)


def _stacks() -> str:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"{names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()
    )

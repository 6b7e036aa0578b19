"""Ends a process that hangs: a kernel or a network file system that never returns would hold its slot for ever."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable

_LOOKS = 10
_LONGEST_REST = 5.0


class Watchdog:
    """To be fed at every step while `is_on`. When it is not for `seconds`, all stacks are printed and the process ends.

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
                print(f"no step for {seconds:.0f} s; the stacks of all threads follow, and the process ends", flush=True)
                faulthandler.dump_traceback(file=sys.__stderr__ or 2, all_threads=True)
                self._hangs()
                os._exit(1)

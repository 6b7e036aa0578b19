"""A command in a process of its own: how long it takes, and the CPU that it and all its descendants use."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_POLL_SECONDS = 0.5
_SECONDS_TO_END = 20.0


@dataclass(frozen=True)
class Measured:
    """began: seconds since the epoch. seconds: until the command's own process ended. cpu: seconds, of all processes."""

    began: float
    seconds: float
    cpu: float

    @property
    def ended(self) -> float:
        return self.began + self.seconds


def measure(command: Sequence[str], log: Path, environment: Mapping[str, str], *, is_fine: Sequence[int] = (0,)) -> Measured:
    """Run a command in the folder of `log`, which takes what it prints. What it leaves running is ended.

    Raises SystemExit with the end of the log when the exit code is none of `is_fine`.
    """
    with log.open("wb") as out:
        began = time.time()
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=log.parent, env=environment)
        usage = _Usage(process.pid)
        usage.start()
        try:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its times can be read until it is reaped
            seconds = time.time() - began
        finally:
            usage.stop()
            code = process.poll()
            if code is None:
                process.terminate()
            usage.end_descendants()
            process.wait()
    if code not in is_fine:
        sys.exit(f"{' '.join(command)} ended with {code}:\n{log.read_text(errors='replace')[-4000:]}")
    return Measured(began, seconds, usage.cpu)


class _Usage(threading.Thread):
    """Adds up the CPU of a process and its descendants, of which each may be missed for half a second at its end.

    Resource usage of waited-for children would not do: Ray's processes are ended by others than their parents.
    """

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self._used: dict[psutil.Process, float] = {}
        self._stopped = threading.Event()

    @property
    def cpu(self) -> float:
        return sum(self._used.values())

    def run(self) -> None:
        while not self._stopped.wait(_POLL_SECONDS):
            self._look()

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        self._look()

    def end_descendants(self) -> None:
        descendants = [process for process in self._used if process != self._root]
        for process in psutil.wait_procs(descendants, timeout=_SECONDS_TO_END)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _look(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in self._root.children(recursive=True):
                self._used.setdefault(process, 0.0)
        self._used.setdefault(self._root, 0.0)
        for process in filter(psutil.Process.is_running, self._used):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                self._used[process] = times.user + times.system

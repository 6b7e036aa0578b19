"""What a notebook shows while a sweep runs: one line below the cell, renewed in its place."""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Self

from blurb_tune.cli.frame import best_line, whole_seconds
from blurb_tune.cli.plain_lines import progress_line
from blurb_tune.cli.view import View
from blurb_tune.core.pulse import Pulse
from blurb_tune.log.events import Event, TrialStarted
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.estimate import SteadyEstimate
from blurb_tune.report.progress import Progress

_SECONDS_BETWEEN_LINES = 0.5


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook (Jupyter, VS Code, Colab): it can renew what it has shown."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None) is not None


class NotebookView(View):
    """Renews one output of the cell, at most twice a second: rich and tqdm would need ipywidgets for that.

    title: of the sweep, as long as no more is known of it.
    """

    def __init__(self, title: str, clock: Callable[[], float] = time.time):
        from IPython.display import DisplayHandle

        self._title, self._clock, self._began = title, clock, clock()
        self._doing = self._waiting = ""
        self._progress = Progress(began=self._began)
        self._estimate = SteadyEstimate()
        self._handle = DisplayHandle()
        # By its context a thread's output finds the cell; pulses come from a thread that does not know which one that is.
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._due = 0.0

    def begin(self, title: str, folder: Path, record: SweepRecord) -> None:
        with self._lock:
            self._title, self._progress = title, Progress(record, began=self._began)

    def on_event(self, event: Event) -> None:
        with self._lock:
            self._progress.apply(event)
            if isinstance(event, TrialStarted):
                self._doing = ""
            self._renew()

    def on_phase(self, text: str) -> None:
        with self._lock:
            self._doing, self._due = text, 0.0
            self._renew()

    def on_waiting(self, text: str) -> None:
        with self._lock:
            self._waiting = text
            self._renew()

    def on_pulses(self, pulses: Sequence[Pulse]) -> None:
        with self._lock:
            self._progress.take_pulses(pulses, self._clock())
            self._renew()

    def say(self, text: str) -> None:
        print(text, flush=True)

    def line(self, now: float) -> str:
        """What is shown at `now`, in seconds since the epoch."""
        progress, parts = self._progress, [self._title]
        if progress.record.trials:
            left = self._estimate.smooth(progress.seconds_left(now), now)
            parts += [progress_line(progress, left), best_line(progress, progress.leaderboard().best).plain]
        parts += [text for text in (self._doing, self._waiting) if text]
        return "; ".join([*parts, f"{whole_seconds(progress.elapsed(now))} elapsed"])

    def __enter__(self) -> Self:
        self._context.run(self._handle.display, self._display_data(), raw=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._doing, self._waiting, self._due = "", "", 0.0
            self._renew()

    def _renew(self) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _SECONDS_BETWEEN_LINES
            self._context.run(self._handle.update, self._display_data(), raw=True)

    def _display_data(self) -> dict[str, str]:
        line, work = self.line(self._clock()), self._progress.work()
        bar = f'<progress value="{work.done}" max="{work.total}"></progress> ' if work is not None else ""
        return {"text/plain": line, "text/html": f"<div>{bar}{escape(line)}</div>"}

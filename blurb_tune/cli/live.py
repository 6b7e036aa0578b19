"""What a terminal shows while a sweep runs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.segment import Segment

from blurb_tune.cli.frame import Scene, frame
from blurb_tune.cli.plain_lines import PlainLines
from blurb_tune.cli.view import View
from blurb_tune.core.pulse import Pulse
from blurb_tune.log.events import Event, TrialStarted
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.estimate import SteadyEstimate
from blurb_tune.report.progress import Progress

FRAMES_PER_SECOND = 2
# What comes in between is shown at once, by terminals that know the mode; others pass it over.
_FRAME_BEGINS, _FRAME_ENDS = "\x1b[?2026h", "\x1b[?2026l"


def open_view(console: Console, title: str, *, quiet: bool = False) -> View:
    """The view that fits `console`. title: of the sweep, as long as no more is known of it."""
    if quiet or console.quiet:
        return View()
    if console.is_interactive and console.encoding.startswith("utf"):
        return LiveView(console, title)
    return PlainLines(console)


def stderr_view(title: str) -> View:
    """The same for a terminal, or whatever there is, to which stderr goes."""
    return open_view(Console(stderr=True), title)


class LiveView(View):
    """A view that is redrawn twice a second where something has changed, and vanishes at the end for the summary.

    The methods only queue: all is folded by the thread that draws, which alone touches the record.
    """

    def __init__(self, console: Console, title: str, clock: Callable[[], float] = time.time):
        self._console, self._clock = console, clock
        self._scene = Scene(began=clock(), title=title)
        self._progress = Progress(began=self._scene.began)
        self._estimate = SteadyEstimate()
        self._queue: deque[Callable[[], None]] = deque()
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn: list[list[Segment]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._draw_on, name="live-view", daemon=True)

    def begin(self, title: str, folder: Path, record: SweepRecord) -> None:
        def fold() -> None:
            self._scene.title, self._scene.folder = title, f"{folder}/"
            self._progress = Progress(record, began=self._scene.began)

        self._queue.append(fold)

    def on_event(self, event: Event) -> None:
        def fold() -> None:
            self._progress.apply(event)
            if isinstance(event, TrialStarted):
                self._scene.phases.clear()

        self._queue.append(fold)

    def on_phase(self, text: str) -> None:
        phase = (text, self._clock())
        self._queue.append(lambda: self._scene.phases.append(phase))

    def on_waiting(self, text: str) -> None:
        self._queue.append(lambda: setattr(self._scene, "waiting", text))

    def on_pulses(self, pulses: Sequence[Pulse]) -> None:
        now = self._clock()
        self._queue.append(lambda: self._progress.take_pulses(pulses, now))

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def draw(self) -> RenderableType:
        """The next frame, with all that has arrived."""
        while self._queue:
            self._queue.popleft()()
        size, now = self._console.size, self._clock()
        left = self._estimate.smooth(self._progress.seconds_left(now), now)
        return frame(self._progress, self._scene, left, size.width, size.height - 1, now)

    def __enter__(self) -> Self:
        self._live.start()
        self._refresh()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self._live.stop()

    def _draw_on(self) -> None:
        while not self._stop.wait(1 / FRAMES_PER_SECOND):
            self._refresh()

    def _refresh(self) -> None:
        """Write a frame only where it differs from what is there: what does not move does not flicker."""
        drawn = self.draw()
        lines = self._console.render_lines(drawn)
        if lines != self._drawn:
            self._drawn = lines
            self._console.file.write(_FRAME_BEGINS)
            self._live.update(drawn, refresh=True)
            self._console.file.write(_FRAME_ENDS)
            self._console.file.flush()

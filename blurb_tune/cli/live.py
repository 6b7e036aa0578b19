"""What a terminal shows while a sweep runs: a live view, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live

from blurb_tune.cli.frame import frame
from blurb_tune.core.numbers import counted, duration, score, share, time_left
from blurb_tune.log.events import (
    ConfigurationEnded,
    Event,
    SelectionMade,
    SweepEnded,
    SweepResumed,
    SweepStarted,
    Tested,
    TrialEnded,
)
from blurb_tune.log.record import SweepRecord, TrialRecord
from blurb_tune.report.progress import Progress
from blurb_tune.report.tables import error_line

FRAMES_PER_SECOND = 4
SECONDS_BETWEEN_LINES = 30.0


class View(Protocol):
    """Something that follows a sweep: within its context, `on_event` hears every event of this driver, the first included."""

    def on_event(self, event: Event) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def open_view(console: Console, *, record: SweepRecord | None = None, quiet: bool = False) -> View:
    """The view that fits `console`. The plan (configurations, seeds, slots) is read from the sweep's first event.

    record: what earlier drivers left of the sweep. The view folds the events into it, so nobody else may.
    """
    if quiet:
        return NoView()
    if console.is_interactive and console.encoding.startswith("utf"):
        return LiveView(console, record)
    return PlainLines(console, record)


class NoView:
    """Shows nothing."""

    def on_event(self, event: Event) -> None:
        """Nothing to do."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to undo."""


class LiveView:
    """A view that is drawn anew four times a second, and vanishes at the end to make room for the summary.

    `on_event` only queues: the events are folded by the thread that draws, which alone touches the record.
    """

    def __init__(self, console: Console, record: SweepRecord | None = None, clock: Callable[[], float] = time.time):
        self._console = console
        self._clock = clock
        self._progress = Progress(record)
        self._queue: deque[Event] = deque()
        self._live = Live(console=console, get_renderable=self.draw, refresh_per_second=FRAMES_PER_SECOND, transient=True)

    def on_event(self, event: Event) -> None:
        self._queue.append(event)

    def draw(self) -> RenderableType:
        """The next frame, with all events that have arrived."""
        while self._queue:
            self._progress.apply(self._queue.popleft())
        size = self._console.size
        return frame(self._progress, size.width, size.height - 1, self._clock())

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()


class PlainLines:
    """A line with the time for each trial and configuration that ends, and every half minute one with the progress."""

    def __init__(self, console: Console, record: SweepRecord | None = None):
        self._console = console
        self._progress = Progress(record)
        self._told = 0.0

    def on_event(self, event: Event) -> None:
        self._progress.apply(event)
        match event:
            case SweepStarted() | SweepResumed():
                self._told = event.time
                self._say(event.time, self._beginning())
                for note in self._progress.record.header.notes:
                    self._say(event.time, f"note: {note}")
            case TrialEnded():
                self._say(event.time, f"{self._place()} {self._trial_end(event)}")
            case ConfigurationEnded():
                self._say(event.time, self._configuration_end(event))
            case SelectionMade():
                reference = f", its reference {event.reference}" if event.reference else ""
                self._say(event.time, f"the search is over: the winner is {event.configuration}{reference}")
            case Tested():
                self._say(event.time, self._test_end(event))
            case SweepEnded():
                # What made it end before its time is said by whoever knows.
                how = "finished" if event.status == "finished" else "stopped"
                self._say(event.time, f"sweep {how} after {duration(event.wall_seconds)}")
        if event.time - self._told >= SECONDS_BETWEEN_LINES and not isinstance(event, SweepEnded):
            self._told = event.time
            self._say(event.time, self._progress_line(event.time))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to undo."""

    def _say(self, when: float, text: str) -> None:
        line = f"{time.strftime('%H:%M:%S', time.localtime(when))} {text}"
        self._console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def _place(self) -> str:
        total = self._progress.total()
        return f"[{self._progress.counts().done}/{total if total is not None else '?'}]"

    def _beginning(self) -> str:
        header, record = self._progress.record.header, self._progress.record
        total = self._progress.total()
        trials = "trials" if total is None else counted(total, "trial")
        done = self._progress.counts().done
        what = f"resumed with {done} done" if record.trials else "started"
        return (
            f"sweep {header.name} {what}: {header.task}, {', '.join(header.models)}, {trials}, {counted(record.slots, 'slot')}"
        )

    def _trial_end(self, event: TrialEnded) -> str:
        trial = self._progress.record.trials[event.trial]
        configuration = self._progress.record.configurations[trial.configuration_id].configuration
        name = f"{trial.configuration_id} {trial.run} ({self._progress.record.label(trial.configuration_id)})"
        why = error_line(event.error or event.reason)
        if event.retry:
            return f"{name}: errored, to be tried again: {why}"
        metric = self._progress.record.header.metric
        ending = f"{event.outcome}, {metric} {score(trial.final_score)} at epoch {trial.epochs:.3g} of {configuration.epochs}"
        return f"{name}: {ending}" + (f": {why}" if why else "")

    def _test_end(self, event: Tested) -> str:
        name, metric = self._name(self._progress.record.trials[event.trial]), self._progress.record.header.metric
        return f"{name}: not tested: {event.error}" if event.error else f"{name}: test {metric} {score(event.metrics[metric])}"

    def _name(self, trial: TrialRecord) -> str:
        return f"{trial.configuration_id} {trial.run} ({self._progress.record.label(trial.configuration_id)})"

    def _configuration_end(self, event: ConfigurationEnded) -> str:
        record = self._progress.record
        result = record.result_of(event.configuration)
        label = record.label(event.configuration)
        numbers = f"mean {score(result.spread.mean)}, std {score(result.spread.std)}, n {result.n}"
        failed = f"failed {share(result.failed, result.ended)}"
        objective = f"{record.header.objective} {score(event.value)}"
        return f"configuration {event.configuration} ({label}): {numbers}, {failed}, {objective}"

    def _progress_line(self, now: float) -> str:
        counts, left = self._progress.counts(), self._progress.seconds_left(now)
        rest = f", {time_left(left)}" if left is not None else ""
        ended = f"{counts.finished} finished ({counts.pruned} pruned, {counts.failed} failed), {counts.errored} errored"
        return f"{self._place()} {counts.running} running, {ended}{rest}"

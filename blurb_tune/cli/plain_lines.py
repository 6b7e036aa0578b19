"""What is printed while a sweep runs where there is no terminal: a line for what happens, and one now and then in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from blurb_tune.cli.view import View
from blurb_tune.core.numbers import duration, plural, score, share, time_left
from blurb_tune.core.pulse import Pulse
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
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.report.estimate import SteadyEstimate
from blurb_tune.report.progress import Progress
from blurb_tune.report.result_files import error_line

SECONDS_BETWEEN_LINES = 30.0


class PlainLines(View):
    """A line with the time for each phase, trial and configuration that ends, and every half minute one with the progress."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.time):
        self._console, self._clock = console, clock
        self._began = clock()
        self._progress = Progress(began=self._began)
        self._estimate = SteadyEstimate()
        self._told = self._began
        self._lock = threading.Lock()
        self._first_steps = ""

    def begin(self, title: str, folder: Path, record: SweepRecord) -> None:
        self._progress = Progress(record, began=self._began)
        self._say(self._clock(), f"{title}, in {folder}/")

    def on_phase(self, text: str) -> None:
        self._say(self._clock(), text)

    def on_waiting(self, text: str) -> None:
        self._say(self._clock(), text or "no trial waits any more")

    def on_pulses(self, pulses: Sequence[Pulse]) -> None:
        with self._lock:
            now = self._clock()
            self._progress.take_pulses(pulses, now)
            self._say_first_steps(now)
            if now - self._told >= SECONDS_BETWEEN_LINES:
                self._told = now
                self._say(now, self._progress_line(now))

    def say(self, text: str) -> None:
        self._say(self._clock(), text)

    def on_event(self, event: Event) -> None:
        with self._lock:
            self._fold(event)

    def _fold(self, event: Event) -> None:
        self._progress.apply(event)
        match event:
            case SweepStarted() | SweepResumed():
                self._told = event.time
                self._say(event.time, self._beginning())
                for note in self._progress.record.header.notes:
                    self._say(event.time, f"note: {note}")
            case TrialEnded():
                self._say(event.time, f"{trials_done(self._progress)} {self._trial_end(event)}")
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
                self._say(event.time, f"sweep {how} after {duration(self._progress.record.wall_seconds)}")
        if event.time - self._told >= SECONDS_BETWEEN_LINES and not isinstance(event, SweepEnded):
            self._told = event.time
            self._say(event.time, self._progress_line(event.time))

    def _say_first_steps(self, now: float) -> None:
        """What trials do before this driver has anything to report of one, in which people wait longest."""
        running = self._progress.running
        if not running or any(trial.measurements for trial in running.values()) or self._first_steps == "training":
            return
        doing = {pulse.doing for trial, pulse in self._progress.pulses.items() if trial in running}
        said = "training" if doing & {"training", "evaluating"} else next(iter(doing), "")
        if said and said != self._first_steps:
            self._first_steps = said
            self._say(now, f"the first trials: {said}")

    def _say(self, when: float, text: str) -> None:
        line = f"{time.strftime('%H:%M:%S', time.localtime(when))} {text}"
        self._console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def _beginning(self) -> str:
        header, record = self._progress.record.header, self._progress.record
        total = self._progress.total()
        trials = "trials" if total is None else plural(total, "trial")
        done = self._progress.counts().done
        what = f"resumed with {done} done" if record.trials else "started"
        return (
            f"sweep {header.name} {what}: {header.task}, {', '.join(header.models)}, {trials}, {plural(record.slots, 'slot')}"
        )

    def _trial_end(self, event: TrialEnded) -> str:
        trial = self._progress.record.trials[event.trial]
        configuration = self._progress.record.configurations[trial.configuration_id].configuration
        name = f"{trial.configuration_id} {trial.seed_and_fold} ({self._progress.record.label(trial.configuration_id)})"
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
        return f"{trial.configuration_id} {trial.seed_and_fold} ({self._progress.record.label(trial.configuration_id)})"

    def _configuration_end(self, event: ConfigurationEnded) -> str:
        record = self._progress.record
        result = record.result_of(event.configuration)
        label = record.label(event.configuration)
        numbers = f"mean {score(result.summary.mean)}, std {score(result.summary.std)}, n {result.n}"
        failed = f"failed {share(result.failed, result.ended)}"
        objective = f"{record.header.objective} {score(event.value)}"
        return f"configuration {event.configuration} ({label}): {numbers}, {failed}, {objective}"

    def _progress_line(self, now: float) -> str:
        return progress_line(self._progress, self._estimate.smooth(self._progress.seconds_left(now), now))


def progress_line(progress: Progress, left: float | None) -> str:
    """How far a sweep is. left: the seconds to go, None while nobody knows."""
    counts, work = progress.counts(), progress.work()
    rest = f", {work.done:,.0f}/{work.total:,.0f} epochs" if work else ""
    rest += f", {time_left(left)}" if left is not None else ""
    ended = f"{counts.finished} finished ({counts.pruned} pruned, {counts.failed} failed), {counts.errored} errored"
    return f"{trials_done(progress)} {counts.running} running, {ended}{rest}"


def trials_done(progress: Progress) -> str:
    """Such as `[12/45]`."""
    total = progress.total()
    return f"[{progress.counts().done}/{total if total is not None else '?'}]"

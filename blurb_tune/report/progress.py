"""How far a running sweep is, folded from its events: what the live view and the plain lines both tell."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from blurb_tune.core.pulse import Pulse
from blurb_tune.core.trial import Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.report.trial_groups import Group, by_family, by_strategy
from blurb_tune.results.groups import GroupResult

# A pass over all trials that takes more seconds than this is followed by none for so many times as long.
_QUICK, _REST = 0.0125, 20


@dataclass(frozen=True)
class Counts:
    """Trials. `finished` ones have ended and are no errors; pruned and failed are among them, and one trial can be both."""

    running: int
    finished: int
    pruned: int
    failed: int
    errored: int

    @property
    def done(self) -> int:
        return self.finished + self.errored


@dataclass(frozen=True)
class Work:
    """Epochs, planned and done. What was stopped, or will not run since its configuration was, counts as done."""

    done: float
    total: float


@dataclass(frozen=True)
class Leaderboard:
    """Scores so far: the best configuration, and all groups of one `kind`, `strategy` or `family`."""

    best: GroupResult | None
    kind: str
    groups: list[Group]


T = TypeVar("T")


class _Throttled(Generic[T]):
    """A value computed from all trials: only when it is stale, and seldom where that takes long."""

    def __init__(self, compute: Callable[[], T]):
        self._compute = compute
        self._value: T | None = None
        self._due = 0.0
        self.is_stale = True

    def get(self) -> T:
        if self._value is None or (self.is_stale and time.monotonic() >= self._due):
            started = time.thread_time()
            self._value, self.is_stale = self._compute(), False
            took = time.thread_time() - started
            self._due = time.monotonic() + (_REST * took if took > _QUICK else 0.0)
        return self._value


class Progress:
    """A sweep's record, and what only a running sweep has: trials at work, a rest to do, time left.

    record: what earlier drivers left, for a sweep that is resumed. The events of this one are folded into it, so it must be
    a copy of the view's own. began: when this driver's process began, before its first event.
    """

    def __init__(self, record: SweepRecord | None = None, *, began: float | None = None, most_strategies: int = 8):
        self.record = record or SweepRecord()
        self.running: dict[str, TrialRecord] = {}
        self.pulses: dict[str, Pulse] = {}
        self.hears_pulses = False
        self._changed: dict[str, float] = {}
        self._before = self.record.elapsed_of_drivers()
        self._given = self._began = began
        self._last_measured: dict[str, float] = {}
        self._leaderboard = _Throttled(lambda: self._compute_leaderboard(most_strategies))
        self._settled_work = _Throttled(self._compute_work)

    def apply(self, event: ev.Event) -> None:
        """Fold the next event."""
        self.record.apply(event)
        match event:
            case ev.SweepStarted() | ev.SweepResumed():
                self._before = self.record.wall_seconds
                self._began = self._given if self._given is not None else event.time
                self.running.clear()
            case ev.TrialStarted():
                # Put behind the others, where a trial that is tried again would keep its place.
                self.running.pop(event.trial, None)
                self.running[event.trial] = self.record.trials[event.trial]
                self._last_measured.pop(event.trial, None)
                self._changed[event.trial] = event.time
            case ev.Measured():
                self._last_measured[event.trial] = self._changed[event.trial] = event.time
            case ev.TrialEnded():
                self.running.pop(event.trial, None)
                self.pulses.pop(event.trial, None)
                self._changed.pop(event.trial, None)
            case ev.SweepEnded():
                self.running.clear()
        if not isinstance(event, ev.Measured | ev.PruneDecided):
            self._leaderboard.is_stale = self._settled_work.is_stale = True

    def take_pulses(self, pulses: Iterable[Pulse], now: float) -> None:
        """Take in what running trials say of themselves; what an earlier attempt said is passed over."""
        for pulse in pulses:
            self.hears_pulses = True
            trial = self.running.get(pulse.trial)
            if trial is not None and trial.attempt == pulse.attempt and self.pulses.get(pulse.trial) != pulse:
                self.pulses[pulse.trial] = pulse
                self._changed[pulse.trial] = now

    def silent_seconds(self, trial_id: str, now: float) -> float:
        """How long nothing has been heard of a running trial."""
        return max(now - self._changed.get(trial_id, now), 0.0)

    def elapsed(self, now: float) -> float:
        """Seconds that all drivers of the sweep have worked, this one from the beginning of its process."""
        return self._before + (now - self._began if self._began is not None else 0.0)

    def epochs_of(self, trial: TrialRecord) -> float:
        """Epochs of a running trial, by what it said last."""
        pulse = self.pulses.get(trial.trial_id)
        planned = self.record.configurations[trial.configuration_id].configuration.epochs
        return max(trial.epochs, planned * pulse.step / pulse.steps) if pulse and pulse.steps else trial.epochs

    def work(self) -> Work | None:
        """Epochs of the whole plan; None while the number of configurations is not known."""
        header = self.record.started
        if header is None or header.configurations is None:
            return None
        settled = self._settled_work.get()
        return Work(min(settled.done + sum(map(self.epochs_of, self.running.values())), settled.total), settled.total)

    def _compute_work(self) -> Work:
        """All but the running trials. A configuration that is to come is expected to have as many epochs as the others."""
        record, header = self.record, self.record.header
        planned = [of.configuration.epochs for of in record.configurations.values()]
        mean = sum(planned) / len(planned) if planned else 1.0
        to_come = max((header.configurations or 0) - len(planned), 0) * mean * header.trials_per_configuration
        is_over = record.selection is not None or record.no_result is not None
        total, done = sum(planned) * header.trials_per_configuration + to_come, 0.0 if record.is_searching else to_come
        for name, of in record.configurations.items():
            is_settled = of.state is not None or is_over
            runs = header.trials_per_configuration if is_settled else sum(trial.is_final for trial in record.trials_of(name))
            done += of.configuration.epochs * runs
        fresh = len(header.confirmation_seeds) * max(1, header.folds)
        if fresh and record.no_result is None:
            chosen = record.selection
            sides = 1 if chosen and not chosen.reference else 2  # winner and vanilla
            total += fresh * sides * mean
            for name in filter(None, (chosen.configuration, chosen.reference) if chosen else ()):
                epochs = record.configurations[name].configuration.epochs
                total += fresh * (epochs - mean)
                done += epochs * sum(trial.is_final for trial in record.confirmations_of(name))
        return Work(done, total)

    def counts(self) -> Counts:
        outcomes = {Outcome(name): count for name, count in self.record.outcome_counts().items()}
        return Counts(
            running=len(self.running),
            finished=sum(count for outcome, count in outcomes.items() if outcome is not Outcome.ERRORED),
            pruned=sum(count for outcome, count in outcomes.items() if outcome.is_pruned),
            failed=sum(count for outcome, count in outcomes.items() if outcome.is_failed),
            errored=outcomes[Outcome.ERRORED],
        )

    def total(self) -> int | None:
        """How many trials the sweep will have had at its end, as `expected_trials` counts them."""
        return expected_trials(self.record)

    def seconds_left(self, now: float) -> float | None:
        """About how long the sweep will take from `now` (seconds since the epoch); None while there is nothing to go by.

        A trial that has not begun is expected to take the mean over all trials so far: an ended one with what it took, pruned
        or not, a running one as if it ran to its last epoch. Trials that are pruned end first, so a mean over ended trials
        alone would promise too much early on; this one errs to the long side and comes right as trials end.
        """
        total = self.total()
        if total is None:
            return None
        took, trials = self.record.seconds_of_ended_trials()
        expected = {t.trial_id: self._expected_seconds(t) for t in self.running.values()}
        known = [seconds for seconds in expected.values() if seconds is not None]
        if not trials and not known:
            return None
        mean = (took + sum(known)) / (trials + len(known))
        rests = [max((expected[t.trial_id] or mean) - (now - t.started), 0.0) for t in self.running.values()]
        waiting = max(total - self.counts().done - len(self.running), 0)
        return max((sum(rests) + waiting * mean) / self.record.slots, max(rests, default=0.0))

    def leaderboard(self) -> Leaderboard:
        """The scores by strategy, or by family when there are more than `most_strategies`."""
        return self._leaderboard.get()

    def _compute_leaderboard(self, most_strategies: int) -> Leaderboard:
        best = self.record.best_configuration() if self.record.trials else None
        groups = by_strategy(self.record) if self.record.trials else []
        if len(groups) > most_strategies:
            return Leaderboard(best, "family", by_family(self.record))
        return Leaderboard(best, "strategy", groups)

    def _expected_seconds(self, trial: TrialRecord) -> float | None:
        """A running trial's whole time if it runs to its last epoch: the time before its first step is paid once."""
        if not trial.epochs > 0 or not math.isfinite(trial.train_seconds):
            return None
        planned = self.record.configurations[trial.configuration_id].configuration.epochs
        until_now = self._last_measured[trial.trial_id] - trial.started
        return until_now + trial.train_seconds * max(planned / trial.epochs - 1, 0.0)


def planned_trials(record: SweepRecord) -> int | None:
    """How many trials the whole plan has; None while the number of configurations is not known.

    A configuration that has ended counts with the trials it had: it may have been given up before its last seed.
    """
    header = record.started
    if header is None or header.configurations is None:
        return None
    ended = len(record.configurations) - len(record.open_configurations)
    searched = record.trials_of_ended_configurations + max(header.configurations - ended, 0) * header.trials_per_configuration
    return searched + _fresh_trials(record)


def expected_trials(record: SweepRecord) -> int | None:
    """How many trials a sweep will have had at its end: those of the plan, but once the search has ended, be it by a budget,
    no more than have begun, and the confirmation."""
    if record.started is None or record.is_searching:
        return planned_trials(record)
    return record.searched + _fresh_trials(record)


def _fresh_trials(record: SweepRecord) -> int:
    """Those that confirm winner and vanilla."""
    header, selection = record.header, record.selection
    sides = 0 if record.no_result else 1 if selection and not selection.reference else 2
    return sides * len(header.confirmation_seeds) * max(1, header.folds)

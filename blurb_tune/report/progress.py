"""How far a running sweep is, folded from its events: what the live view and the plain lines both tell."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from blurb_tune.core.trial import Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord, TrialRecord
from blurb_tune.report.groups import Group, by_family, by_strategy
from blurb_tune.results.groups import GroupResult

# A look through all trials that takes more seconds than this is followed by none for so many times as long.
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
class Standing:
    """Scores so far: the best configuration, and all groups of one `kind`, `strategy` or `family`."""

    best: GroupResult | None
    kind: str
    groups: list[Group]


class Progress:
    """A sweep's record, and what only a running sweep has: trials at work, a rest to do, time left.

    record: what earlier drivers left, for a sweep that is resumed. The events of this one are folded into it, so it must be
    a copy of the view's own.
    """

    def __init__(self, record: SweepRecord | None = None):
        self.record = record or SweepRecord()
        self.running: dict[str, TrialRecord] = {}
        self.session_started: float | None = None
        self._last_measured: dict[str, float] = {}
        self._standing: Standing | None = None
        self._is_stale = True
        self._due = 0.0

    def apply(self, event: ev.Event) -> None:
        """Fold the next event."""
        self.record.apply(event)
        match event:
            case ev.SweepStarted() | ev.SweepResumed():
                self.session_started = event.time
                self.running.clear()
            case ev.TrialStarted():
                # Put behind the others, where a trial that is tried again would keep its place.
                self.running.pop(event.trial, None)
                self.running[event.trial] = self.record.trials[event.trial]
                self._last_measured.pop(event.trial, None)
            case ev.Measured():
                self._last_measured[event.trial] = event.time
            case ev.TrialEnded():
                self.running.pop(event.trial, None)
            case ev.SweepEnded():
                self.running.clear()
        if not isinstance(event, ev.Measured | ev.PruneDecided):
            self._is_stale = True

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
        """How many trials the sweep will have had at its end, as `planned_trials` counts them."""
        return planned_trials(self.record)

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

    def standing(self, most_strategies: int) -> Standing:
        """The scores by strategy, or by family when there are more than `most_strategies`.

        Computed anew only when a trial or a configuration has begun or ended, and seldom where the trials are so many that it
        takes long.
        """
        if self._standing is None or (self._is_stale and time.monotonic() >= self._due):
            started = time.thread_time()
            self._standing, self._is_stale = self._compute_standing(most_strategies), False
            took = time.thread_time() - started
            self._due = time.monotonic() + (_REST * took if took > _QUICK else 0.0)
        return self._standing

    def _compute_standing(self, most_strategies: int) -> Standing:
        best = self.record.best_configuration() if self.record.trials else None
        groups = by_strategy(self.record) if self.record.trials else []
        if len(groups) > most_strategies:
            return Standing(best, "family", by_family(self.record))
        return Standing(best, "strategy", groups)

    def _expected_seconds(self, trial: TrialRecord) -> float | None:
        """A running trial's whole time if it runs to its last epoch: the time before its first step is paid once."""
        if not trial.epochs > 0 or not math.isfinite(trial.train_seconds):
            return None
        planned = self.record.configurations[trial.configuration_id].configuration.epochs
        until_now = self._last_measured[trial.trial_id] - trial.started
        return until_now + trial.train_seconds * max(planned / trial.epochs - 1, 0.0)


def planned_trials(record: SweepRecord) -> int | None:
    """How many trials a sweep will have had at its end; None while the number of configurations is not known.

    A configuration that has ended counts with the trials it had: it may have been given up before its last seed.
    """
    header = record.started
    if header is None or header.configurations is None:
        return None
    ended = len(record.configurations) - len(record.open_configurations)
    searched = record.trials_of_ended_configurations + max(header.configurations - ended, 0) * header.runs
    selection = record.selection
    confirmed = 0 if record.no_result else 1 if selection and not selection.reference else 2  # winner and vanilla
    return searched + confirmed * len(header.confirmation_seeds) * max(1, header.folds)

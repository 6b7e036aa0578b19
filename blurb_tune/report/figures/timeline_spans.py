"""Who was at work when: the attempts of all trials, each on a slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.report.figures.marks import kind_of

KINDS = {
    "completed": "completed",
    "failed": "failed",
    "stopped": "stopped with its configuration",
    "errored": "errored or lost",
    "running": "at work",
}
# A time in which nothing ran is left out of the axis when it is longer than this share of the time in which something did.
_LONGEST_GAP = 0.05


@dataclass(frozen=True)
class Span:
    """One attempt. started, ended: seconds since the sweep began. slot: from 0 on."""

    trial: TrialRecord
    kind: str
    attempt: int
    started: float
    ended: float
    slot: int


def spans_of(record: SweepRecord) -> list[Span]:
    """All attempts by their start, each on the slot that its worker had before, or on the first that is free."""
    begin = record.header.time
    found = []
    for trial in record.trials.values():
        first = trial.attempt - len(trial.earlier)
        for number, attempt in enumerate(trial.earlier, start=first):
            kind = "errored" if attempt.outcome is None else kind_of(attempt.outcome)
            found.append((attempt.started, max(attempt.started, attempt.ended), number, kind, attempt.worker, trial))
        kind = "running" if trial.outcome is None else kind_of(trial.outcome)
        ended = trial.started + trial.own_seconds if trial.ended is None else trial.ended
        found.append((trial.started, max(trial.started, ended), trial.attempt, kind, trial.worker, trial))
    found.sort(key=lambda item: (item[0], item[5].trial_id, item[2]))
    free: list[float] = []
    last: list[str] = []
    spans = []
    for started, ended, number, kind, worker, trial in found:
        slot = _slot(free, last, started, worker)
        free[slot], last[slot] = ended, worker
        spans.append(Span(trial, kind, number, started - begin, ended - begin, slot))
    return spans


def _slot(free: list[float], last: list[str], started: float, worker: str) -> int:
    idle = [slot for slot, until in enumerate(free) if until <= started + 1e-6]
    if not idle:
        free.append(started)
        last.append(worker)
        return len(free) - 1
    return next((slot for slot in idle if worker and last[slot] == worker), idle[0])


@dataclass(frozen=True)
class Clock:
    """Seconds since the sweep began to coordinates; `pauses`, (from, to) each, are left out but for `gap` units."""

    pauses: tuple[tuple[float, float], ...]
    end: float
    left: float
    right: float
    gap: float = 16.0

    @property
    def active(self) -> float:
        """Seconds, pauses left out."""
        return self.end - sum(to - since for since, to in self.pauses)

    def segments(self) -> list[tuple[float, float]]:
        """From when to when there is no pause."""
        begins = [0.0, *(to for _, to in self.pauses)]
        return list(zip(begins, [*(since for since, _ in self.pauses), self.end], strict=True))

    def __call__(self, seconds: float) -> float:
        scale = (self.right - self.left - self.gap * len(self.pauses)) / max(self.active, 1e-9)
        x = self.left
        at = 0.0
        for since, to in self.pauses:
            if seconds <= since:
                break
            x += (since - at) * scale
            x += self.gap * min(1.0, (seconds - since) / (to - since))
            at = min(to, seconds)
        return x + max(0.0, seconds - at) * scale


def is_real_time(record: SweepRecord, spans: Sequence[Span]) -> bool:
    """Whether the log was written while its trials ran, and not, as a replay's, in simulated time."""
    trained = sum(trial.train_seconds for trial in record.trials.values())
    return sum(span.ended - span.started for span in spans) >= trained / 2


def clock_of(spans: Sequence[Span], left: float, right: float) -> Clock:
    """The axis over all spans, one at least."""
    gaps = []
    until = 0.0
    for span in spans:
        if span.started > until:
            gaps.append((until, span.started))
        until = max(until, span.ended)
    active = until - sum(to - since for since, to in gaps)
    pauses = tuple((since, to) for since, to in gaps if to - since > max(_LONGEST_GAP * active, 1.0))
    return Clock(pauses, max(until, 1e-3), left, right)


def saved_seconds(record: SweepRecord) -> float:
    """About how much more training there would have been if no rule had stopped anything: each epoch that was not run at what
    an epoch of the same run, or of the other runs of its configuration, took."""
    total = 0.0
    for name, configuration in record.configurations.items():
        planned = configuration.configuration.epochs
        trials = [trial for trial in record.trials_of(name) if trial.is_final and trial.outcome is not Outcome.ERRORED]
        epochs = sum(trial.epochs for trial in trials)
        per_epoch = sum(trial.train_seconds for trial in trials) / epochs if epochs else 0.0
        for trial in trials:
            if trial.outcome is not None and trial.outcome.is_pruned:
                own = trial.train_seconds / trial.epochs if trial.epochs else per_epoch
                total += max(0.0, planned - trial.epochs) * own
        if configuration.is_out:
            total += (record.header.trials_per_configuration - len(record.trials_of(name))) * planned * per_epoch
    return total

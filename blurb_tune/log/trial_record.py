"""What a sweep's log says of one trial, and of one configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from blurb_tune.core.trial import Cause, Configuration, Measurement, Outcome
from blurb_tune.log import events as ev


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was followed by another. Where its driver was lost, outcome is None, and ended as far as its
    measurements tell."""

    started: float
    ended: float
    outcome: Outcome | None
    worker: str


@dataclass(slots=True)
class TrialRecord:
    """One trial, of its latest attempt; `earlier` are those before it.

    errors, halvings, hangs: how many earlier attempts errored, for lack of memory, by hanging, and else; those that ended with
    their driver or by a machine's fault are not among them.
    losses: how many in a row ended by a machine's fault without having come farther than those before. farthest: optimizer
    steps that earlier attempts reached. stopped_early: it ended before its last step, since its dev score no longer improved.
    resumed_seconds: of `train_seconds`, those up to the checkpoint from which this attempt goes on. known_seconds: what the
    measurements of earlier attempts came to.
    """

    trial_id: str
    configuration_id: str
    seed: int
    attempt: int
    started: float
    fold: int | None = None
    errors: int = 0
    halvings: int = 0
    hangs: int = 0
    losses: int = 0
    farthest: int = 0
    resumed_seconds: float = 0.0
    known_seconds: float = 0.0
    measurements: list[Measurement] = field(default_factory=list)
    prunes: list[ev.PruneDecided] = field(default_factory=list)
    outcome: Outcome | None = None
    reason: str = ""
    error: str = ""
    setup_seconds: float = 0.0
    worker: str = ""
    ended: float | None = None
    will_retry: bool = False
    by_machine: bool = False
    cause: str = ""
    stopped_early: bool = False
    earlier: tuple[Attempt, ...] = ()

    def follow(self, before: TrialRecord) -> None:
        """Take over what an earlier attempt tells of this one."""
        is_error = before.outcome is Outcome.ERRORED
        cause = before.cause if is_error and not before.by_machine else None
        self.halvings, self.hangs = before.next_halvings, before.hangs + (cause == Cause.HANG)
        self.errors = before.errors + (cause is not None and cause not in (Cause.MEMORY, Cause.HANG))
        self.losses = before.losses_with_this if is_error and before.by_machine else before.losses
        self.farthest = max(before.farthest, before.steps)
        self.known_seconds = max(before.known_seconds, before.train_seconds)
        ended = before.started + before.own_seconds if before.ended is None else before.ended
        self.earlier = (*before.earlier, Attempt(before.started, ended, before.outcome, before.worker))

    def measure(self, event: ev.Measured) -> None:
        """Take in a measurement, be it one that an earlier attempt made and this one only says once more."""
        self.measurements.append(event.measurement)
        self.resumed_seconds = event.resumed_seconds

    def end(self, event: ev.TrialEnded) -> None:
        """Take in how the attempt ended."""
        self.outcome, self.reason, self.error = Outcome(event.outcome), event.reason, event.error
        self.setup_seconds, self.worker, self.ended = event.setup_seconds, event.worker, event.time
        self.will_retry, self.by_machine = event.retry, event.by_machine
        self.cause, self.stopped_early = event.cause, event.stopped_early

    @property
    def next_halvings(self) -> int:
        """`halvings` of the next attempt."""
        return self.halvings + (self.outcome is Outcome.ERRORED and not self.by_machine and self.cause == Cause.MEMORY)

    @property
    def losses_with_this(self) -> int:
        """`losses` when this attempt is lost too."""
        return 1 if self.steps > self.farthest else self.losses + 1

    @property
    def seed_and_fold(self) -> str:
        """In words, such as `seed 3` or `seed 3 fold 0`."""
        return f"seed {self.seed}" + ("" if self.fold is None else f" fold {self.fold}")

    @property
    def last(self) -> Measurement | None:
        return self.measurements[-1] if self.measurements else None

    @property
    def best(self) -> Measurement | None:
        """The measurement with the highest defined dev score, the earliest of equals."""
        defined = [m for m in self.measurements if not math.isnan(m.dev_score)]
        return max(defined, key=lambda m: m.dev_score) if defined else None

    @property
    def final_score(self) -> float:
        return self.last.dev_score if self.last else math.nan

    @property
    def epochs(self) -> float:
        return self.last.epoch if self.last else 0.0

    @property
    def steps(self) -> int:
        return self.last.step if self.last else 0

    @property
    def train_seconds(self) -> float:
        """Training and dev evaluation, without starting up; up to a checkpoint, those of the attempts before."""
        return self.last.train_seconds + self.last.eval_seconds if self.last else 0.0

    @property
    def own_seconds(self) -> float:
        """Of `train_seconds`, those of this attempt."""
        return max(0.0, self.train_seconds - self.resumed_seconds)

    @property
    def added_seconds(self) -> float:
        """What this attempt adds to the training of all: its own, and what its checkpoint shows that no measurement had."""
        return self.own_seconds + max(0.0, self.resumed_seconds - self.known_seconds)

    @property
    def is_running(self) -> bool:
        return self.outcome is None

    @property
    def is_final(self) -> bool:
        """Ended, and not about to be tried again."""
        return self.outcome is not None and not self.will_retry

    @property
    def is_control(self) -> bool:
        """A pruner wanted it stopped, and it was let run on to measure the pruner."""
        return any(prune.spared for prune in self.prunes)


@dataclass(slots=True)
class ConfigurationRecord:
    """One configuration. `state` is None until its seeds are through.

    number: how many were suggested before it. stopped: by what it was stopped last, if ever. reopened: it went on after that.
    is_out: it starts no further runs.
    """

    configuration_id: str
    number: int
    parameters: dict[str, object]
    configuration: Configuration
    state: str | None = None
    value: float = math.nan
    stopped: ev.ConfigurationStopped | None = None
    reopened: bool = False
    is_out: bool = False

    @property
    def is_back(self) -> bool:
        """It was stopped once, and goes on like those that never were."""
        return self.reopened and not self.is_out

    @property
    def is_control(self) -> bool:
        """It was to be stopped, and goes on behind all others to measure the rule."""
        return self.stopped is not None and self.stopped.spared and not self.is_back

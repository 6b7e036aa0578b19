"""The facts of a sweep. `lines` has how each is written, `values` what its fields can hold, `event_log` the file."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from blurb_tune.core.trial import Measurement

LOG_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Event:
    """A fact. `time` is in seconds since the epoch."""

    kind: ClassVar[str]
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, kw_only=True)
class SweepStarted(Event):
    """The first event of a log.

    sweep_id: name and a random part, unique. models: blocks (L) by model name. folds: of a cross-validation, 0 without one.
    trivial_score: the trivial predictor's dev score, with which a run counts that failed without a score of its own.
    trivial_loss and noise_bound: with it the trivial level of a run (`results.trivial`). log_version: of the format, 0 before
    it was written. precision: of forward passes, for all of the sweep. max_failed_share: configurations with more failed runs
    come behind those with fewer, whatever their objective. notes: non-fatal findings about the data. confirmation_seeds: which
    winner and reference run when all is decided, and no other configuration. crossed: how many seeds of the initialization
    and of the data order are crossed (`core.seeds.streams`). owner: whose sweep it is. host: the machine of its first driver.
    data_source: where the data are from. data_digest: SHA-256 of train and dev, in hex. settings_digest: of what all trials
    have in common besides; two sweeps of the same two can be taken together, seed by seed. examples: by split.
    """

    kind = "sweep_started"
    sweep_id: str
    name: str
    spec_digest: str
    task: str
    metric: str
    models: dict[str, int]
    objective: str
    score: str
    seeds: list[int]
    configurations: int | None
    trivial_score: float
    slots: int
    versions: dict[str, str]
    folds: int = 0
    precision: str = ""
    max_failed_share: float = 0.0
    notes: list[str] = field(default_factory=list)
    trivial_loss: float = math.nan
    noise_bound: float = math.nan
    log_version: int = 0
    confirmation_seeds: list[int] = field(default_factory=list)
    crossed: list[int] | None = None
    owner: str = ""
    host: str = ""
    data_source: str = ""
    data_digest: str = ""
    settings_digest: str = ""
    examples: dict[str, int] = field(default_factory=dict)

    @property
    def replicates(self) -> int:
        """Results of a configuration that is whole: one per seed, over all folds."""
        return len(self.seeds)

    @property
    def trials_per_configuration(self) -> int:
        """Trials of a configuration: one per seed and fold."""
        return len(self.seeds) * max(1, self.folds)


@dataclass(frozen=True, kw_only=True)
class SweepResumed(Event):
    """A new driver took over; trials that had no end in the log are started again. versions: of what is installed by now."""

    kind = "sweep_resumed"
    slots: int
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WarmStarted(Event):
    """What the sampler knows from earlier sweeps: of each configuration of theirs that lies in this space its values, its
    objective (or both of two) by this sweep's rule, and its share of failed runs.

    It is here, for the other folder may grow.
    """

    kind = "warm_started"
    configurations: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class SweepExtended(Event):
    """The plan is larger from now on: each field is that of `SweepStarted`, of the larger plan.

    Configurations that had all their seeds have more to run, and a winner, a spent budget or the lack of a result are no more.
    settings: what has changed in the spec, by key path. errored_again: trials that errored for good run once more. request:
    the name of the one that this follows, by which a later driver that still finds it knows; empty where nobody left one.
    """

    kind = "sweep_extended"
    spec_digest: str
    seeds: list[int]
    configurations: int | None
    confirmation_seeds: list[int]
    settings: dict[str, Any] = field(default_factory=dict)
    errored_again: bool = False
    request: str = ""


@dataclass(frozen=True, kw_only=True)
class BudgetSpent(Event):
    """The search ends before all of its plan has run; `budget` is the setting that ends it."""

    kind = "budget_spent"
    budget: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ConfigurationSuggested(Event):
    """`parameters` is what the sampler drew (the study's view), `values` the hyperparameters that follow from it."""

    kind = "configuration_suggested"
    configuration: str
    parameters: dict[str, Any]
    values: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrialStarted(Event):
    kind = "trial_started"
    trial: str
    configuration: str
    seed: int
    attempt: int
    fold: int | None = None


@dataclass(frozen=True, kw_only=True)
class Measured(Event):
    """resumed_seconds: of training and evaluation up to the checkpoint from which this attempt goes on; earlier ones spent
    them, and the measurement's seconds contain them. 0 for an attempt from scratch, and in logs of before."""

    kind = "measured"
    trial: str
    measurement: Measurement
    resumed_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PruneDecided(Event):
    """A pruner wants the trial stopped. `spared` trials run on as the control group by which the pruner is judged."""

    kind = "prune_decided"
    trial: str
    step: int
    rule: str
    reason: str
    outcome: str
    spared: bool = False


@dataclass(frozen=True, kw_only=True)
class TrialEnded(Event):
    """`retry` says that this errored attempt is followed by another.

    setup_seconds: from the trial's start to its first training step. worker: the `node:pid` that ran it, where that is known.
    by_machine: its process or machine is to blame for the error, and the attempt spends none of the trial's retries. cause: of
    an error, see `core.trial.Cause`; empty in logs of before. stopped_early: before its last step, since its dev score no
    longer improved; the outcome is that of a whole run all the same.
    """

    kind = "trial_ended"
    trial: str
    attempt: int
    outcome: str
    reason: str = ""
    error: str = ""
    setup_seconds: float = 0.0
    worker: str = ""
    retry: bool = False
    by_machine: bool = False
    cause: str = ""
    stopped_early: bool = False


@dataclass(frozen=True, kw_only=True)
class ConfigurationStopped(Event):
    """A configuration has lost after `replicates` results: it starts no further runs, and those at work stop.

    `spared` ones go on as the control group by which the stops are judged.
    """

    kind = "configuration_stopped"
    configuration: str
    rule: str
    reason: str
    replicates: int
    spared: bool = False


@dataclass(frozen=True, kw_only=True)
class ConfigurationReopened(Event):
    """A stopped configuration runs its other replicates after all: it stands above what the leader has reached in the end, or
    `is_reference`: it is the vanilla configuration that the winner is compared with, and no rule stops it again."""

    kind = "configuration_reopened"
    configuration: str
    reason: str
    is_reference: bool = False


@dataclass(frozen=True, kw_only=True)
class ConfigurationEnded(Event):
    """`state` is COMPLETE, STOPPED, INCOMPLETE (a budget was spent) or FAIL (PRUNED in old logs); `value` the aggregate over
    the seeds that have a result.

    A configuration that is reopened, or has more to run in a larger plan, ends a second time.
    """

    kind = "configuration_ended"
    configuration: str
    state: str
    value: float
    failed_share: float


@dataclass(frozen=True, kw_only=True)
class SelectionMade(Event):
    """The search is over and its winner is named, on dev scores alone; from here on the test split may be read.

    reference: vanilla fine-tuning of the same model, None where the sweep has none or it is itself the winner.
    """

    kind = "selection_made"
    configuration: str
    reference: str | None


@dataclass(frozen=True, kw_only=True)
class NoResultFound(Event):
    """The search is over and has no winner: what stands first is no better than chance. No test split is read."""

    kind = "no_result_found"
    reason: str


@dataclass(frozen=True, kw_only=True)
class Tested(Event):
    """What a trial's model does on the test split.

    metrics: by name. interval: the score's 95 % interval from the test set's size. error: why there are no metrics.
    trained_again: its weights were gone, and it was run once more, to where it had ended.
    """

    kind = "tested"
    trial: str
    examples: int
    metrics: dict[str, float] = field(default_factory=dict)
    interval: list[float] = field(default_factory=list)
    error: str = ""
    trained_again: bool = False


@dataclass(frozen=True, kw_only=True)
class CombinationTested(Event):
    """What several runs of the winning strategy are worth as one model, beside the best of them alone.

    Its members were chosen on dev before the test split was read, for all methods at once.

    method: of `core.combination.Method`. members: trials, the best on dev first. dev_score, score: on dev and on the test
    split, of so many examples; without one, 0 examples and NaN. interval: of the score, from the test set's size. difference:
    of the score to that of the best single run, with its interval from the same examples. size: of the weights, in bytes.
    seconds: of inference for one example, in the mean over the test split, or over dev.
    """

    kind = "combination_tested"
    method: str
    members: list[str]
    dev_score: float
    size: int
    seconds: float
    examples: int = 0
    score: float = math.nan
    interval: list[float] = field(default_factory=list)
    difference: float = math.nan
    difference_interval: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class SweepEnded(Event):
    """`status` is `finished` or `interrupted`; `wall_seconds` the time since this driver's start or resumption."""

    kind = "sweep_ended"
    status: str
    wall_seconds: float


EVENT_TYPES: Mapping[str, type[Event]] = {
    cls.kind: cls
    for cls in (
        SweepStarted,
        SweepResumed,
        WarmStarted,
        SweepExtended,
        BudgetSpent,
        ConfigurationSuggested,
        TrialStarted,
        Measured,
        PruneDecided,
        TrialEnded,
        ConfigurationStopped,
        ConfigurationReopened,
        ConfigurationEnded,
        SelectionMade,
        NoResultFound,
        Tested,
        CombinationTested,
        SweepEnded,
    )
}

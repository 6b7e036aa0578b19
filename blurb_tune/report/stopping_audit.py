"""What stopping saved in a sweep, and how often it was wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.stats.intervals import wilson_interval

T = TypeVar("T")


@dataclass(frozen=True)
class RuleResult:
    """What one rule did, to runs or to configurations (`what`).

    stopped: for good. spared: it wanted them stopped, and they went on as the control group. judged: those of the spared that
    are at their end. wrong: a run among these that did not fail, a configuration among these that won. interval: the 95 %
    interval of the share of wrong stops (Wilson).
    """

    what: str
    rule: str
    stopped: int
    spared: int
    judged: int
    wrong: int
    interval: tuple[float, float]


@dataclass(frozen=True)
class PruningResult:
    """Epochs are counted over the trials that are through and not errored, and over those that stopped configurations did
    without; a trial that was stopped early was planned with the epochs that it had. reopened: configurations that went on
    after they had been stopped."""

    epochs_run: float
    epochs_planned: float
    stopped_runs: int
    stopped_configurations: int
    reopened: int
    rules: tuple[RuleResult, ...]

    @property
    def epochs_saved(self) -> float:
        return self.epochs_planned - self.epochs_run

    @property
    def saved_share(self) -> float | None:
        """The share of the planned epochs that stopping saved; None when nothing has ended."""
        return self.epochs_saved / self.epochs_planned if self.epochs_planned else None


def judge_pruning(record: SweepRecord) -> PruningResult:
    """The balance of all rules so far."""
    planned: float = 0
    run = 0.0
    stopped_runs: list[tuple[str, TrialRecord]] = []
    spared_runs: list[tuple[str, TrialRecord]] = []
    for trial in record.trials.values():
        epochs = record.configurations[trial.configuration_id].configuration.epochs
        if trial.is_final and trial.outcome is not Outcome.ERRORED:
            whole = trial.epochs if trial.stopped_early else epochs
            planned, run = planned + whole, run + trial.epochs
        for prune in trial.prunes:
            (spared_runs if prune.spared else stopped_runs).append((prune.rule, trial))
    winner = record.best_configuration()
    configurations = list(record.configurations.values())
    for configuration in configurations:
        if configuration.is_out:
            left = record.header.trials_per_configuration - len(record.trials_of(configuration.configuration_id))
            planned += left * configuration.configuration.epochs
    out = Counter(c.stopped.rule for c in configurations if c.stopped is not None and c.is_out)
    control = [(c.stopped.rule, c) for c in configurations if c.stopped is not None and c.stopped.spared]
    rules = [
        _rule("run", rule, sum(r == rule for r, _ in stopped_runs), [t for r, t in spared_runs if r == rule],
              lambda trial: trial.is_final, lambda trial: trial.outcome is Outcome.COMPLETED)
        for rule in dict.fromkeys(rule for rule, _ in (*stopped_runs, *spared_runs))
    ]  # fmt: skip
    rules += [
        _rule("configuration", rule, out[rule], [c for r, c in control if r == rule],
              lambda c: c.state is not None, lambda c: winner is not None and c.configuration_id == winner.name)
        for rule in dict.fromkeys((*out, *(rule for rule, _ in control)))
    ]  # fmt: skip
    return PruningResult(
        epochs_run=run,
        epochs_planned=planned,
        stopped_runs=len(stopped_runs),
        stopped_configurations=out.total(),
        reopened=sum(c.reopened for c in configurations),
        rules=tuple(rules),
    )


def _rule(
    what: str, rule: str, stopped: int, spared: list[T], is_judged: Callable[[T], bool], is_wrong: Callable[[T], bool]
) -> RuleResult:
    judged = [item for item in spared if is_judged(item)]
    wrong = sum(map(is_wrong, judged))
    return RuleResult(what, rule, stopped, len(spared), len(judged), wrong, wilson_interval(wrong, len(judged)))

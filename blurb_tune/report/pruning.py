"""What the pruners of a sweep saved, and how often they were wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord, TrialRecord


@dataclass(frozen=True)
class RuleResult:
    """What one pruning rule did, in trials.

    stopped: ended by it. spared: it wanted them stopped, and they ran on as controls. spared_completed: those of the spared
    that ended well, each a mistake of the rule had it been obeyed.
    """

    rule: str
    stopped: int
    spared: int
    spared_completed: int


@dataclass(frozen=True)
class PruningResult:
    """Epochs are counted over the trials that gave a result or were censored: ended, and not errored.

    stopped: trials that a decision ended. epochs_saved: what these had left. Of the `spared` control trials, spared_ended
    have ended, and spared_completed of these ended well.
    """

    epochs_run: float
    epochs_planned: int
    epochs_saved: float
    stopped: int
    spared: int
    spared_ended: int
    spared_completed: int
    rules: tuple[RuleResult, ...]

    @property
    def saved_share(self) -> float:
        """The share of the planned epochs that pruning saved; NaN when no trial has ended."""
        return self.epochs_saved / self.epochs_planned if self.epochs_planned else math.nan


def judge_pruning(record: SweepRecord) -> PruningResult:
    """The pruners' balance so far."""
    ended = [t for t in record.trials.values() if t.is_final and t.outcome is not Outcome.ERRORED]
    planned = {t.trial_id: record.configurations[t.configuration_id].configuration.epochs for t in ended}
    stopped = [t for t in ended if any(not prune.spared for prune in t.prunes)]
    controls = [t for t in record.trials.values() if t.is_control]
    rules = sorted({prune.rule for t in record.trials.values() for prune in t.prunes})
    return PruningResult(
        epochs_run=sum(t.epochs for t in ended),
        epochs_planned=sum(planned.values()),
        epochs_saved=sum(planned[t.trial_id] - t.epochs for t in stopped),
        stopped=len(stopped),
        spared=len(controls),
        spared_ended=sum(t.is_final for t in controls),
        spared_completed=sum(t.outcome is Outcome.COMPLETED for t in controls),
        rules=tuple(_judge_rule(rule, stopped, controls) for rule in rules),
    )


def _judge_rule(rule: str, stopped: list[TrialRecord], controls: list[TrialRecord]) -> RuleResult:
    spared = [t for t in controls if any(p.rule == rule and p.spared for p in t.prunes)]
    return RuleResult(
        rule=rule,
        stopped=sum(any(p.rule == rule and not p.spared for p in t.prunes) for t in stopped),
        spared=len(spared),
        spared_completed=sum(t.outcome is Outcome.COMPLETED for t in spared),
    )

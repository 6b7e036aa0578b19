"""When a search ends before all of its plan has run."""

from __future__ import annotations

from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.spec.budget import BudgetSpec, format_duration


def spent_budget(spec: BudgetSpec, record: SweepRecord, *, now: float, is_settled: bool) -> ev.BudgetSpent | None:
    """The first setting that ends the search, with its reason; None while it may go on.

    now: seconds since the epoch. is_settled: the race is decided.
    """
    if spec.trials is not None and record.searched >= spec.trials:
        return ev.BudgetSpent(budget="trials", reason=f"{record.searched} trials of {spec.trials} have begun")
    if spec.wall_time is not None and (seconds := record.elapsed(now)) >= spec.wall_time:
        reason = f"{format_duration(seconds)} of {format_duration(spec.wall_time)} have passed"
        return ev.BudgetSpent(budget="wall_time", reason=reason)
    if spec.training_time is not None and record.train_seconds >= spec.training_time:
        reason = f"{format_duration(record.train_seconds)} of {format_duration(spec.training_time)} were spent on training"
        return ev.BudgetSpent(budget="training_time", reason=reason)
    if spec.settled and is_settled:
        return ev.BudgetSpent(budget="settled", reason="all configurations but one have lost")
    return None

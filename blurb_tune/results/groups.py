"""Several runs taken together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from blurb_tune.stats.stability import ScoreSummary


@dataclass(frozen=True)
class GroupResult:
    """The seeds of a configuration, or of all configurations of one family, taken together.

    n: seeds with a result, which spread and objective are over. In a cross-validation a seed has several runs, one per fold;
    its result is their mean, and it has one when all of them do. All other counts are of runs that have ended: completed;
    failed, of which pruned_unstable are a part; underperforming, cut short with their configuration and so no result; and
    errored. max_failed_share: the share of failed runs that the sweep tolerates.
    """

    name: str
    summary: ScoreSummary
    objective: float
    n: int
    completed: int
    failed: int
    pruned_unstable: int
    underperforming: int
    errored: int
    max_failed_share: float

    @property
    def ended(self) -> int:
        """Runs that have ended but errored ones, of which failed ones are counted; what was cut short is among them."""
        return self.completed + self.failed + self.underperforming

    @property
    def failed_share(self) -> float:
        return self.failed / self.ended if self.ended else math.nan

    @property
    def excess(self) -> float:
        """How far the share of failed runs is above what the sweep tolerates; infinite without a result."""
        return max(0.0, self.failed_share - self.max_failed_share) if self.n else math.inf


def rank(result: GroupResult, seeds: int) -> tuple[bool, float, float]:
    """A sort key, the best first: full sets of `seeds` results, then the least excess of failed runs, then the objective.

    It is the sampler's rule too, to which the excess is a constraint. By the objective alone, runs that all failed alike would
    win over some that learned and some that did not: their standard deviation is 0.
    """
    return result.n < seeds, result.excess, math.inf if math.isnan(result.objective) else -result.objective


def pareto_front(results: Iterable[GroupResult]) -> list[GroupResult]:
    """Those that no other equals in mean and standard deviation and beats in one of them; the highest mean first.

    A result of a single seed has no standard deviation, and is left out.
    """
    known = [result for result in results if not math.isnan(result.summary.std)]
    front: list[GroupResult] = []
    for result in sorted(known, key=lambda r: (-r.summary.mean, r.summary.std)):
        last = front[-1].summary if front else None
        is_twin = last is not None and (last.mean, last.std) == (result.summary.mean, result.summary.std)
        if last is None or result.summary.std < last.std or is_twin:
            front.append(result)
    return front


def why_no_result(best: GroupResult | None) -> str | None:
    """Why the first of all configurations is no winner: most of its runs failed, so that it is no better than chance; None
    where it is one."""
    if best is None:
        return "no configuration has a result"
    if 2 * best.failed > best.ended:
        return f"{best.failed} of {best.ended} runs of the best configuration, {best.name}, failed"
    return None


def best_of(results: Iterable[GroupResult], seeds: int) -> GroupResult | None:
    """The first by `rank` of those that have a result; None where none has."""
    return min((r for r in results if r.n), key=lambda r: rank(r, seeds), default=None)

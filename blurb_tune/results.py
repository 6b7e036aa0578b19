"""Several runs taken together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from blurb_tune.stability import Spread


@dataclass(frozen=True)
class GroupResult:
    """The seeds of a configuration, or of all configurations of one family, taken together.

    n counts the results: every ended trial but errored and dominated ones. failed is among n, dominated (censored) and
    errored are beside it.
    """

    name: str
    spread: Spread
    objective: float
    n: int
    completed: int
    failed: int
    pruned_unstable: int
    dominated: int
    errored: int

    @property
    def failed_share(self) -> float:
        return self.failed / self.n if self.n else math.nan


def best_of(results: Iterable[GroupResult], seeds: int) -> GroupResult | None:
    """The highest objective among configurations with a result of every seed; of any number of seeds where none has all."""
    return max((r for r in results if r.n), key=lambda r: (r.n == seeds, r.objective), default=None)

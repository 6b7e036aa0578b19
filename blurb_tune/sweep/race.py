"""Which configurations have lost, from the results of their replicates so far. Knows nothing of logs and of what runs."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from blurb_tune.spec.pruning import RaceSpec
from blurb_tune.stats.race import losers

RULES = ("failures", "race")


@dataclass
class Racer:
    """A configuration in the race. scores: of its replicates in the order in which they were complete, failed runs with the
    trivial score. failed: runs that failed. looked: replicates at its last look. is_open: it has replicates to come."""

    scores: list[float] = field(default_factory=list)
    failed: int = 0
    looked: int = 0
    is_open: bool = True


@dataclass(frozen=True)
class Verdict:
    """A configuration that has lost, by which rule, and a sentence with the numbers."""

    configuration: str
    rule: str
    reason: str
    replicates: int


class Race:
    """Follows the results of all configurations, and names those that have lost.

    replicates: planned for each configuration (N). tolerated: failed runs that a configuration may have.

    A look at n replicates takes place when every configuration in the race that has some to come has n of them, so that all
    are compared at the same number. Two rules:

    - failures: it has more failed runs than tolerated, which no further run can mend, while another has not.
    - race: its scores are worse than the leader's (`stats.race`), at level `alpha`.
    """

    def __init__(self, spec: RaceSpec, replicates: int, tolerated: int):
        self._spec, self._replicates, self._tolerated = spec, replicates, tolerated
        self._last_look = min(replicates, spec.max_seeds or replicates)
        self._racers: dict[str, Racer] = {}
        self._open: dict[str, Racer] = {}
        self._at: Counter[int] = Counter()  # how many of the open ones have so many scores, and were looked at with so many
        self._looked: Counter[int] = Counter()

    def enter(self, configuration: str) -> None:
        """A configuration is in the race from now on."""
        self._racers[configuration] = self._open[configuration] = Racer()
        self._at[0] += 1
        self._looked[0] += 1

    def fail(self, configuration: str) -> None:
        """One of its runs has failed."""
        self._racers[configuration].failed += 1

    def score(self, configuration: str, score: float) -> None:
        """One more replicate of it is complete."""
        racer = self._racers[configuration]
        racer.scores.append(score)
        if racer.is_open:
            _take(self._at, len(racer.scores) - 1)
            self._at[len(racer.scores)] += 1

    def finish(self, configuration: str) -> None:
        """It has no replicates to come, and stays in the race as one to be compared with."""
        racer = self._open.pop(configuration, None)
        if racer is not None:
            racer.is_open = False
            _take(self._at, len(racer.scores))
            _take(self._looked, racer.looked)

    def leave(self, configuration: str) -> None:
        """It is out: neither compared nor compared with."""
        self.finish(configuration)
        self._racers.pop(configuration, None)

    def verdicts(self) -> list[Verdict]:
        """Who has lost by now. Each look is taken once; those named are to `leave`."""
        n = min(self._at, default=0)
        is_due = self._spec.min_seeds <= n < self._replicates and min(self._looked) < n
        if self._spec.method == "none" or not is_due:
            return []
        looking = [name for name, racer in self._open.items() if racer.looked < n]
        for name in looking:
            self._open[name].looked = n
        self._looked = Counter({n: len(self._open)})
        lost = {verdict.configuration: verdict for verdict in self._failures(looking)}
        return [*lost.values(), *self._beaten([name for name in looking if name not in lost], set(lost), n)]

    def _failures(self, looking: list[str]) -> list[Verdict]:
        within = next((name for name, racer in self._racers.items() if self._is_within(racer)), None)
        if within is None:
            return []
        return [
            Verdict(
                name,
                "failures",
                f"{racer.failed} of its runs failed, and {self._tolerated} may, as many as {within} has at most",
                len(racer.scores),
            )
            for name in looking
            if (racer := self._racers[name]).failed > self._tolerated
        ]

    def _is_within(self, racer: Racer) -> bool:
        return len(racer.scores) >= self._spec.min_seeds and racer.failed <= self._tolerated

    def _beaten(self, looking: list[str], lost: set[str], n: int) -> list[Verdict]:
        group = [name for name, racer in self._racers.items() if len(racer.scores) >= n and name not in lost]
        if len(group) < 2 or n > self._last_look:
            return []
        scores = np.array([self._racers[name].scores[:n] for name in group])
        first = min(self._spec.min_seeds, n)
        rows = losers(scores, planned=self._last_look, first=first, alpha=self._spec.alpha)
        means = scores.mean(axis=1)
        leader = group[int(means.argmax())]
        return [
            Verdict(
                group[row],
                "race",
                f"mean {means[row]:.4f} after {n} of {self._replicates} replicates, beside {means.max():.4f} of {leader}: "
                f"worse at the level {self._spec.alpha:g} over all looks",
                n,
            )
            for row in rows
            if group[row] in looking
        ]


def _take(counter: Counter[int], key: int) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


def tolerated_failures(max_failed_share: float, runs: int) -> int:
    """How many of a configuration's runs may fail."""
    return math.floor(max_failed_share * runs + 1e-9)

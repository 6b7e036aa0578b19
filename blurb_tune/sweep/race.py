"""Which configurations have lost, from the results of their replicates so far. Knows nothing of logs and of what runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from blurb_tune.spec.pruning import RaceSpec
from blurb_tune.stats.race import losers

FAILURES, RACE = RULES = ("failures", "race")


@dataclass
class Racer:
    """A configuration in the race. scores: of its replicates in the order in which they were complete, failed runs with the
    trivial score. failed: runs that failed. looked: replicates at its last look. is_open: it has replicates to come. was_out:
    it was reopened. is_exempt: it is not asked by the race any more."""

    scores: list[float] = field(default_factory=list)
    failed: int = 0
    looked: int = 0
    is_open: bool = True
    was_out: bool = False
    is_exempt: bool = False


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
    are compared at the same number; none is passed over, though all may have more by then. Two rules:

    - failures: it has more failed runs than tolerated, which no further run can mend, while another has not; where none has so
      few, more than one that is whole.
    - race: its scores are worse than the leader's (`stats.race`), at level `alpha`.
    """

    def __init__(self, spec: RaceSpec, replicates: int, tolerated: int):
        self._spec, self._replicates, self._tolerated = spec, replicates, tolerated
        self._last_look = min(replicates, spec.max_seeds or replicates)
        self._racers: dict[str, Racer] = {}
        self._open: dict[str, Racer] = {}
        self._at: Counter[int] = Counter()  # how many of the open ones have so many scores, and were looked at with so many
        self._looked: Counter[int] = Counter()
        self._losing: list[str] = []
        self._gone: dict[str, Racer] = {}

    def enter(self, configuration: str) -> None:
        """A configuration is in the race from now on."""
        self._racers[configuration] = self._open[configuration] = Racer()
        self._at[0] += 1
        self._looked[0] += 1

    @property
    def is_settled(self) -> bool:
        """All but one have lost."""
        return len(self._racers) - len(self._losing) == 1 and bool(self._gone or self._losing)

    def fail(self, configuration: str) -> None:
        """One of its runs has failed."""
        self._racer(configuration).failed += 1

    def score(self, configuration: str, score: float) -> None:
        """One more replicate of it is complete."""
        racer = self._racer(configuration)
        racer.scores.append(score)
        if configuration in self._open:
            _take(self._at, len(racer.scores) - 1)
            self._at[len(racer.scores)] += 1

    def finish(self, configuration: str) -> None:
        """It has no replicates to come, and stays in the race as one to be compared with."""
        if configuration in self._open and configuration not in self._losing:
            racer = self._open.pop(configuration)
            racer.is_open = False
            _take(self._at, len(racer.scores))
            _take(self._looked, racer.looked)

    def reopen(self, configuration: str, *, is_exempt: bool) -> None:
        """It goes on after it was out; it can lose again by its failures, and unless `is_exempt` by the race.

        Nothing where it is in the race, as who has not lost in a larger plan is.
        """
        if configuration not in self._gone:
            return
        racer = self._racers[configuration] = self._open[configuration] = self._gone.pop(configuration)
        racer.is_open = racer.was_out = True
        racer.is_exempt = is_exempt
        self._at[len(racer.scores)] += 1
        self._looked[racer.looked] += 1

    def lose(self, configuration: str) -> None:
        """It is out, neither compared nor compared with, once the present look is closed."""
        if configuration in self._racers:
            self._losing.append(configuration)

    def close_look(self) -> None:
        """All that follows from the look that is due has been decided; another may be due then."""
        n = self._due
        if n is not None:
            self._mark(n)
        for name in self._losing:
            self._leave(name)
        self._losing.clear()

    def verdicts(self) -> list[Verdict]:
        """Who loses at the look that is due, the same until it is closed; there is one at each number of replicates."""
        n = self._due
        if self._spec.method == "none" or n is None:
            return []
        looking = [name for name, racer in self._open.items() if racer.looked < n]
        lost = {verdict.configuration: verdict for verdict in self._failures(looking)}
        return [*lost.values(), *self._beaten([name for name in looking if name not in lost], set(lost), n)]

    @property
    def _due(self) -> int | None:
        """The replicates of the look that is due."""
        n = max(self._spec.min_seeds, min(self._looked, default=0) + 1)
        return n if n <= min(self._at, default=0) and n < self._replicates else None

    def _mark(self, n: int) -> None:
        for racer in self._open.values():
            racer.looked = max(racer.looked, n)
        self._looked = Counter(racer.looked for racer in self._open.values())

    def _racer(self, configuration: str) -> Racer:
        return self._racers.get(configuration) or self._gone[configuration]

    def _leave(self, configuration: str) -> None:
        racer = self._gone[configuration] = self._racers.pop(configuration)
        if racer.is_open:
            del self._open[configuration]
            _take(self._at, len(racer.scores))
            _take(self._looked, racer.looked)

    def _failures(self, looking: list[str]) -> list[Verdict]:
        so_far, whole = self._limits()
        found = []
        for name in looking:
            racer = self._racers[name]
            # Whoever has gone on once is no more stopped beside one that may have failed runs yet.
            limit = whole if racer.was_out else so_far or whole
            if limit is not None and racer.failed > limit[0]:
                reason = f"{racer.failed} of its runs failed, and of {limit[1]} {limit[0]} at most"
                found.append(Verdict(name, FAILURES, reason, len(racer.scores)))
        return found

    def _limits(self) -> tuple[tuple[int, str] | None, tuple[int, str] | None]:
        """How many failed runs are no reason to stop, and beside whom: what is tolerated, while someone is within it so far;
        and the least that a whole configuration has, or what is tolerated, if that is more."""
        within = [
            name for name, r in self._racers.items() if len(r.scores) >= self._spec.min_seeds and r.failed <= self._tolerated
        ]
        whole = [(r.failed, name) for name, r in self._racers.items() if len(r.scores) >= self._replicates]
        failed, name = min(whole, default=(0, ""))
        return (
            (self._tolerated, within[0]) if within else None,
            (max(failed, self._tolerated), name) if whole else None,
        )

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
                RACE,
                f"mean {means[row]:.4f} after {n} of {self._replicates} replicates, beside {means.max():.4f} of {leader}: "
                f"worse at the level {self._spec.alpha:g} over all looks",
                n,
            )
            for row in rows
            if group[row] in looking and not self._racers[group[row]].is_exempt
        ]


def rerun(race: Race, rounds: Mapping[str, Sequence[tuple[float, int]]], *, out: Collection[str]) -> dict[str, Verdict]:
    """Feed a new race with what is known already, look by look, as if its plan had been in force all the time.

    rounds: by configuration, for each replicate in order its score and its failed runs; those behind a loss count where it is
    reopened. out: configurations that do not take part. Returns the verdicts.
    """
    for name in rounds:
        race.enter(name)
        if name in out:
            race.lose(name)
    race.close_look()
    lost: dict[str, Verdict] = {}
    for replicate in range(max(map(len, rounds.values()), default=0)):
        for name, results in rounds.items():
            if replicate < len(results):
                value, failed = results[replicate]
                for _ in range(failed):
                    race.fail(name)
                race.score(name, value)
        for verdict in race.verdicts():
            lost[verdict.configuration] = verdict
            race.lose(verdict.configuration)
        race.close_look()
    return lost


def _take(counter: Counter[int], key: int) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


def tolerated_failures(max_failed_share: float, runs: int) -> int:
    """How many of a configuration's runs may fail."""
    return math.floor(max_failed_share * runs + 1e-9)

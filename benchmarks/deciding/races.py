"""The level of the race."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product

import numpy as np
from deciding.world import SPREAD, call
from numpy.typing import NDArray

from blurb_tune.spec.pruning import RaceSpec
from blurb_tune.sweep.race import Race

Floats = NDArray[np.float64]


def _equal(kind: str, generator: np.random.Generator, m: int, n: int) -> Floats:
    match kind:
        case "normal":
            return generator.normal(0.8, SPREAD, (m, n))
        case "skewed":
            return 0.9 - generator.gamma(1.0, SPREAD, (m, n))
        case _:
            failing = generator.random((m, n)) < 0.3
            return np.where(failing, 0.0, generator.normal(0.8, SPREAD, (m, n)))


def _false_stops(kind: str, m: int, n: int, rounds: int) -> str:
    generator = np.random.default_rng([m, n, len(kind)])
    stopped = any_stopped = 0
    for _ in range(rounds):
        scores = _equal(kind, generator, m, n)
        race = Race(RaceSpec(), n, tolerated=n)
        live = {f"c{i}": i for i in range(m)}
        for name in live:
            race.enter(name)
        for replicate in range(n):
            for name, i in live.items():
                race.score(name, float(scores[i, replicate]))
            for verdict in race.verdicts():
                race.lose(verdict.configuration)
                del live[verdict.configuration]
            race.close_look()
        stopped += m - len(live)
        any_stopped += len(live) < m
    share, races = stopped / m / rounds, any_stopped / rounds
    return f"{kind:8} m={m:2} n={n:2}: {share:.3f} of the configurations, in {races:.3f} of the races"


def level(pool: ProcessPoolExecutor, rounds: int) -> Iterator[str]:
    """Equal configurations: the share that is stopped, at most alpha = 0.1."""
    settings = list(product(("normal", "skewed", "failing"), (2, 5, 10), (5, 10)))
    yield from pool.map(partial(call, _false_stops, rounds), settings)

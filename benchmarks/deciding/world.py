"""A world with a known truth, and what all sections share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from blurb_tune.core.trial import Configuration, Measurement
from blurb_tune.replay.curves import CurveSet
from blurb_tune.results.trivial import TrivialLevel
from blurb_tune.spec.schema import SweepSpec

EVALUATIONS = 20
SPREAD = 0.03


def spec_of(**settings: Any) -> SweepSpec:
    """The spec of five lines, with these settings."""
    return SweepSpec.model_validate({"name": "b", "task": "demo", "model": "tiny", "search": {"sampler": "grid"}} | settings)


# Nine strategies, the best one 0.03 ahead of the next, those a step apart, vanilla (the first) the worst.
def world_of(generator: np.random.Generator, step: float, seeds: int, *, failing: bool) -> CurveSet:
    """Runs of 20 evaluations; with `failing` a tenth of the best's runs fail, two in ten of the others', four of vanilla's."""
    ends = 0.77 - step * np.arange(7, -1, -1)
    means = np.array([*ends, 0.80])
    rates = np.array([0.4, *[0.2] * 7, 0.1]) if failing else np.zeros(9)
    names = ["vanilla", *(f"s{number}" for number in range(1, 8)), "best"]
    runs: dict[str, dict[int, tuple[Measurement, ...]]] = {}
    for name, mean, rate in zip(names, means, rates, strict=True):
        runs[name] = {}
        for seed in range(seeds):
            falls = (0, EVALUATIONS // 2)[int(generator.integers(2))] if generator.random() < rate else None
            runs[name][seed] = make_run(generator, float(generator.normal(mean, SPREAD)), falls)
    configurations = {name: Configuration(reinit_count=number) for number, name in enumerate(names)}
    return CurveSet("world", "pearson", TrivialLevel(0.0, 0.0, 2.0), "vanilla", configurations, runs)


def make_run(generator: np.random.Generator, end: float, falls: int | None) -> tuple[Measurement, ...]:
    """A run that learns, to `falls` if that is given, and is at the trivial level from there on."""
    noise = generator.normal(0, 0.01, (3, EVALUATIONS))
    run = []
    for k in range(1, EVALUATIONS + 1):
        progress = 1 - math.exp(-k / 4)
        learned = falls is None or k <= falls
        score = end if k == EVALUATIONS else end * progress + noise[0, k - 1]
        train = 2.0 - 1.8 * progress if learned else 2.0 + noise[1, k - 1]
        dev = 2.0 - 1.2 * progress if learned else 2.0 + noise[2, k - 1]
        spread = 0.5 if learned else 0.01
        run.append(Measurement(k, k, score if learned else -abs(noise[0, k - 1]), dev, train, 1.0, spread, 1e-5, k, 0.0))
    return tuple(run)


def seeds_for(curves: CurveSet) -> int:
    return min(10, len(curves.seeds))


def call(function: Callable[..., Any], rounds: int, arguments: tuple[Any, ...]) -> Any:
    return function(*arguments, rounds)

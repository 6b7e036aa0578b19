"""Samplers that learn, in a made-up space."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product

import numpy as np
import optuna
from deciding.world import EVALUATIONS, SPREAD, call, make_run, spec_of

from blurb_tune.core.trial import Configuration, Outcome, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.replay.simulator import MemoryLog, simulate
from blurb_tune.sweep.facts import SweepFacts
from blurb_tune.sweep.sweep import Sweep


def _level_of(configuration: Configuration) -> float:
    """The true level of a strategy in a made-up space: a ridge in rate and decay, and a bonus for re-initialization."""
    rate = math.log10(configuration.learning_rate / 3e-5)
    return (
        0.8 - 0.25 * rate**2 - 1.5 * (configuration.decay_rate - 0.9) ** 2 - 0.01 * abs(configuration.reinit_count - 2)
        - 0.01 * abs(configuration.freeze_depth - 1)
    )  # fmt: skip


def _searched(sampler: str, race: str, rounds: int) -> tuple[str, str, list[float], int]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {
        "freeze_depth": {"low": 0, "high": 4}, "reinit_count": {"low": 0, "high": 4}, "decay_rate": {"low": 0.7, "high": 1.0},
        "learning_rate": {"low": 1e-6, "high": 1e-3, "log": True}, "epochs": 4,
    }  # fmt: skip
    found, used = [], 0
    for number in range(rounds):
        spec = spec_of(
            space=space, search={"sampler": sampler, "configurations": 30, "seed": number}, seeds=5, objective="mean",
            pruning={"race": race},
        )  # fmt: skip

        def behave(trial: TrialConfig, number: int = number) -> Iterator[tuple[float, TrialReport]]:
            generator = np.random.default_rng([number, trial.seed, int(trial.configuration_id[1:])])
            end = _level_of(trial.configuration) + float(generator.normal(0, SPREAD))
            for measurement in make_run(generator, end, None):
                is_last = measurement.step == EVALUATIONS
                yield 1.0, TrialReport(measurement, Outcome.COMPLETED if is_last else None)

        header = ev.SweepStarted(
            sweep_id="s", name="s", spec_digest=str(number), task="t", metric="pearson", models={"tiny": 8}, objective="mean",
            score="final", seeds=spec.seeds, configurations=30, trivial_score=0.0, slots=1, versions={},
        )  # fmt: skip
        log = MemoryLog([header])
        facts = SweepFacts(blocks={"tiny": 8}, train_examples=(64,), trivial_loss=2.0, trivial_score=0.0)
        sweep = Sweep(spec, facts, log, log.events, steps=lambda trial: EVALUATIONS)
        simulate(sweep, behave)
        best = sweep.record.best_configuration()
        found.append(_level_of(sweep.record.configurations[best.name].configuration) if best else 0.0)
        used += sum(isinstance(event, ev.Measured) for event in log.events)
    return sampler, race, found, used


def search(pool: ProcessPoolExecutor, rounds: int) -> Iterator[str]:
    """Thirty configurations of a made-up space: the true level of the winner (the best possible is 0.8)."""
    settings = [
        *product(("tpe", "random"), ("permutation", "none")),
        *product(("gp", "nsga2", "quasi_random"), ("permutation",)),
    ]
    for sampler, race, found, used in pool.map(partial(call, _searched, rounds), settings):
        error = np.std(found, ddof=1) / math.sqrt(len(found))
        level = f"{np.mean(found):.4f} (standard error {error:.4f})"
        yield f"{sampler:12} race {race:11}: {level}, {used / rounds:,.0f} evaluations a sweep"

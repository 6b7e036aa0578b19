"""Which strategy stands above which."""

from __future__ import annotations

import math

import pytest

from blurb_tune.report.groups import by_strategy, lacks_seeds, vanilla_mean
from blurb_tune.trial import Outcome
from tests.report.sweeps import SweepWriter, small_sweep


def sweep_of(scores: dict[float, list[float]]) -> SweepWriter:
    """A sweep with seeds 0 and 1 and one configuration per decay rate; a missing second score is a dominated trial."""
    sweep = SweepWriter(seeds=(0, 1), configurations=len(scores))
    for index, (rate, values) in enumerate(scores.items()):
        sweep.configuration(f"c{index}", decay_rate=rate)
        for seed, score in enumerate(values):
            sweep.trial(f"c{index}", seed, [score])
        if len(values) == 1:
            sweep.trial(f"c{index}", 1, [0.0], Outcome.PRUNED_DOMINATED, rule="median")
    return sweep


def test_vanilla_is_first_then_full_sets_of_seeds_then_the_objective() -> None:
    sweep = sweep_of({0.5: [0.9], 0.6: [0.1, 0.1], 0.7: [0.4, 0.4], 1.0: [0.0, 0.0], 0.8: [0.5, 0.3]})
    results = by_strategy(sweep.record)
    assert [r.name for r in results] == ["vanilla", "decay 0.7", "decay 0.8", "decay 0.6", "decay 0.5"]
    assert [lacks_seeds(sweep.record, r) for r in results] == [False, False, False, False, True]


def test_configurations_of_one_strategy_are_pooled() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=3)
    for index, (rate, score) in enumerate([(1e-5, 0.2), (3e-5, 0.4), (5e-5, 0.9)]):
        sweep.configuration(f"c{index}", learning_rate=rate, freeze_depth=0 if index < 2 else 3)
        sweep.trial(f"c{index}", 0, [score])
    assert [(r.name, r.n, r.spread.mean) for r in by_strategy(sweep.record)] == [
        ("vanilla", 2, pytest.approx(0.3)),
        ("freeze 3", 1, 0.9),
    ]
    assert vanilla_mean(sweep.record) == pytest.approx(0.3)


def test_a_strategy_without_results_is_last() -> None:
    sweep = sweep_of({0.5: [-0.5, -0.5], 0.6: []})
    sweep.start("c1", 0)
    assert [r.name for r in by_strategy(sweep.record)] == ["decay 0.5", "decay 0.6"]


def test_the_reference_counts_failed_runs() -> None:
    assert vanilla_mean(small_sweep().record) == pytest.approx(0.05)
    assert math.isnan(vanilla_mean(SweepWriter().record))

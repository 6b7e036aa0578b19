"""Which strategy stands above which, and what it is compared with."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings

from blurb_tune.core.trial import Outcome
from blurb_tune.report.trial_groups import by_configuration, by_family, by_strategy, lacks_seeds
from tests.report.sweeps import SweepWriter, model_sweep, small_sweep, sweeps


def sweep_of(scores: dict[float, list[float]]) -> SweepWriter:
    """A sweep with seeds 0 and 1 and one configuration per decay rate; a missing second score is a trial cut short."""
    sweep = SweepWriter(seeds=(0, 1), configurations=len(scores))
    for index, (rate, values) in enumerate(scores.items()):
        sweep.configuration(f"c{index}", decay_rate=rate)
        for seed, score in enumerate(values):
            sweep.trial(f"c{index}", seed, [score])
        if len(values) == 1:
            sweep.trial(f"c{index}", 1, [0.0], Outcome.PRUNED_UNDERPERFORMING, rule="median")
    return sweep


def test_vanilla_is_first_then_full_sets_of_seeds_then_the_objective() -> None:
    sweep = sweep_of({0.5: [0.9], 0.6: [0.1, 0.1], 0.7: [0.4, 0.4], 1.0: [0.0, 0.0], 0.8: [0.5, 0.3]})
    groups = by_strategy(sweep.record)
    assert [g.label for g in groups] == ["vanilla", "decay 0.7", "decay 0.8", "decay 0.6", "decay 0.5"]
    assert [lacks_seeds(sweep.record, g.result) for g in groups] == [False, False, False, False, True]
    assert [g.difference for g in groups] == pytest.approx([math.nan, 0.4, 0.4, 0.1, 0.9], nan_ok=True)


def test_configurations_of_one_strategy_are_pooled() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=3)
    for index, (rate, score) in enumerate([(1e-5, 0.2), (3e-5, 0.4), (5e-5, 0.9)]):
        sweep.configuration(f"c{index}", learning_rate=rate, freeze_depth=0 if index < 2 else 3)
        sweep.trial(f"c{index}", 0, [score])
    assert [(g.label, g.result.n, g.result.summary.mean) for g in by_strategy(sweep.record)] == [
        ("vanilla", 2, pytest.approx(0.3)),
        ("freeze 3", 1, 0.9),
    ]


def rates(**strategies: dict[float, list[float]]) -> SweepWriter:
    """Configurations by strategy (freeze depth, such as `f3`) and learning rate, each with a score per seed."""
    sweep = SweepWriter(seeds=range(3), configurations=9)
    for index, (depth, rate, scores) in enumerate(
        (int(name[1:]), rate, scores) for name, of in strategies.items() for rate, scores in of.items()
    ):
        sweep.configuration(f"c{index}", freeze_depth=depth, learning_rate=rate)
        for seed, score in enumerate(scores):
            sweep.trial(f"c{index}", seed, [score])
    return sweep


def test_all_are_compared_with_the_best_vanilla_and_with_the_one_of_the_same_settings() -> None:
    """Pooled over its rates vanilla is at 0.4: above itself at one rate, and a tuned rate would pass as stabilization."""
    sweep = rates(
        f0={1e-5: [0.2, 0.2, 0.2], 3e-5: [0.6, 0.6, 0.6]}, f3={1e-5: [0.5, 0.5, 0.5], 3e-5: [0.7, 0.7, 0.7], 9e-5: [0.1] * 3}
    )
    groups = by_configuration(sweep.record)
    nan = math.nan
    assert [g.difference for g in groups] == pytest.approx([-0.4, nan, -0.1, 0.1, -0.5], nan_ok=True)
    assert [g.difference_to_same for g in groups] == pytest.approx([nan, nan, 0.3, 0.1, nan], nan_ok=True)
    for pooled in (by_strategy(sweep.record), by_family(sweep.record)):
        assert [(g.is_vanilla, g.difference) for g in pooled] == [
            (True, pytest.approx(nan, nan_ok=True)),
            (False, pytest.approx(0.1)),
        ]


def test_the_spread_of_a_family_is_that_of_its_seeds() -> None:
    sweep = rates(f0={1e-5: [0.18, 0.2, 0.22], 3e-5: [0.48, 0.5, 0.52]})
    (family,) = by_family(sweep.record)
    assert family.result.summary.std == pytest.approx(0.02)
    assert (family.result.summary.mean, family.result.n) == (pytest.approx(0.35), 6)


def test_a_strategy_without_results_is_last() -> None:
    sweep = sweep_of({0.5: [-0.5, -0.5], 0.6: []})
    sweep.start("c1", 0)
    groups = by_strategy(sweep.record)
    assert [g.label for g in groups] == ["decay 0.5", "decay 0.6"]
    assert all(math.isnan(g.difference) for g in groups)


def test_the_reference_counts_failed_runs() -> None:
    """Vanilla's mean is 0.05, with two failed runs."""
    assert {g.label: g.difference for g in by_family(small_sweep().record)} == pytest.approx(
        {"vanilla": math.nan, "freeze+reinit": 1.4 / 3 - 0.05, "decay": 0.15}, nan_ok=True
    )


def test_families_pool_their_configurations_vanilla_first() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=3)
    for index, (count, score) in enumerate([(1, 0.8), (2, 0.6), (0, 0.1)]):
        sweep.configuration(f"c{index}", reinit_count=count)
        sweep.trial(f"c{index}", 0, [score])
    found = [(g.label, g.result.n, pytest.approx(g.result.summary.mean)) for g in by_family(sweep.record)]
    assert found == [("vanilla", 1, 0.1), ("reinit", 2, 0.7)]


def test_each_model_is_compared_with_its_own_vanilla() -> None:
    record = model_sweep().record
    nan = math.nan
    expected = {"base: vanilla": nan, "large: vanilla": nan, "base: freeze 4": 0.3, "large: freeze 4": -0.3}
    assert {g.label: g.difference for g in by_strategy(record)} == pytest.approx(expected, nan_ok=True)
    assert {g.label: g.difference for g in by_configuration(record)} == pytest.approx(expected, nan_ok=True)
    families = {label.replace(" 4", ""): difference for label, difference in expected.items()}
    assert {g.label: g.difference for g in by_family(record)} == pytest.approx(families, nan_ok=True)
    assert [g.label for g in by_strategy(record)] == ["large: vanilla", "base: vanilla", "base: freeze 4", "large: freeze 4"]


def test_a_model_without_vanilla_is_not_compared_with_another_s() -> None:
    sweep = SweepWriter(seeds=(0,), models={"base": 12, "large": 24})
    for name, values in (("c0", {"model": "base"}), ("c1", {"model": "large", "freeze_depth": 4})):
        sweep.configuration(name, **values)
        sweep.trial(name, 0, [0.5])
    differences = {g.label: g.difference for g in by_strategy(sweep.record)}
    assert math.isnan(differences["base: vanilla"])
    assert math.isnan(differences["large: freeze 4"])


@settings(max_examples=40)
@given(sweeps())
def test_every_trial_is_in_one_group_of_its_model(sweep: SweepWriter) -> None:
    record = sweep.record
    for groups in (by_configuration(record), by_strategy(record), by_family(record)):
        assert sorted(t.trial_id for g in groups for t in g.trials) == sorted(record.trials)
        assert len({g.result.name for g in groups}) == len(groups)
        for group in groups:
            models = {record.configurations[t.configuration_id].configuration.model for t in group.trials}
            assert models <= {group.model}

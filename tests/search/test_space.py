from __future__ import annotations

import itertools
import math
from dataclasses import asdict
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blurb_tune.core.trial import HYPERPARAMETER_NAMES, STRATEGY_NAMES, Configuration, Strategy
from blurb_tune.search.combinations import (
    Combinations,
    axes,
    count,
    pairs_left_out,
    planned_configurations,
)
from blurb_tune.search.space import SearchSpace
from blurb_tune.spec.dimensions import values_of
from blurb_tune.spec.space import SpaceSpec
from blurb_tune.techniques.registry import is_feasible
from tests.search.spaces import spaces

ONE = {"m": 6}
TWO = {"small": 4, "large": 8}


@settings(max_examples=80)
@given(spaces(), st.integers(0, 2**31))
def test_a_sample_is_a_feasible_point_of_the_space(space: tuple[SpaceSpec, dict[str, int]], seed: int) -> None:
    spec, blocks = space
    search = SearchSpace(spec, blocks)
    points = set(Combinations(spec, blocks))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(8):
        trial = study.ask()
        configuration = search.suggest(trial)
        assert configuration in points
        assert configuration.freeze_depth + configuration.reinit_count <= blocks[configuration.model]
        assert search.parameters_of(configuration) == trial.params


@settings(max_examples=60)
@given(spaces())
def test_every_feasible_point_can_be_sampled(space: tuple[SpaceSpec, dict[str, int]]) -> None:
    """Given a point's parameters, the search space arrives at the point."""
    spec, blocks = space
    search = SearchSpace(spec, blocks)
    points = list(Combinations(spec, blocks))
    assert len(points) == len(set(points)) == count(spec, blocks)
    study = optuna.create_study()
    for point in points[:: max(1, len(points) // 30)]:
        study.enqueue_trial(search.parameters_of(point))
        assert search.suggest(study.ask()) == point


@settings(max_examples=60)
@given(spaces())
def test_the_combinations_are_the_feasible_part_of_each_model_s_space(space: tuple[SpaceSpec, dict[str, int]]) -> None:
    """The models come one after the other, each with what it would have alone."""
    spec, blocks = space
    alone = [point for model, limit in blocks.items() for point in Combinations(spec, {model: limit})]
    assert list(Combinations(spec, blocks)) == alone
    unbounded = Combinations(spec, dict.fromkeys(blocks, 100))
    assert alone == [point for point in unbounded if is_feasible(point.values(), blocks[point.model])]


@settings(max_examples=80)
@given(spaces())
def test_the_combinations_by_index_are_the_product_of_the_axes(space: tuple[SpaceSpec, dict[str, int]]) -> None:
    spec, blocks = space
    points, found = Combinations(spec, blocks), []
    names = {name: values for name, values in axes(spec, blocks).items() if values is not None}
    for values in itertools.product(*names.values()):
        point = dict(zip(names, values, strict=True))
        strategy = point.pop("strategy", None)
        configuration = Configuration(**point, **(asdict(strategy) if strategy else {}))
        if is_feasible(configuration.values(), blocks[configuration.model]):
            found.append(configuration)
    assert [points[index] for index in range(points.size)] == list(points) == found
    firsts = [next((i for i, c in enumerate(found) if c.model == m and c.strategy.is_vanilla), None) for m in blocks]
    assert points.references() == [index for index in firsts if index is not None]
    for index in (-1, points.size):
        with pytest.raises(IndexError, match=f"there are {points.size} configurations"):
            points[index]


def test_a_space_of_more_points_than_any_list_could_hold() -> None:
    """All ten axes, the depths among them; counted, and each point found by its index."""
    whole, share = {"low": 1, "high": 2 * 10**9}, {"low": 0.0, "high": 0.9, "step": 1e-9}
    values: dict[str, Any] = {
        "freeze_depth": {"low": 0, "high": 2 * 10**9},
        "reinit_count": {"low": 1, "high": 10**9, "step": 2},
    }
    values |= dict.fromkeys(("batch_size", "epochs"), whole) | dict.fromkeys(("warmup_share", "weight_decay"), share)
    values |= dict.fromkeys(("decay_rate", "learning_rate", "max_grad_norm"), share | {"low": 1e-9})
    spec = SpaceSpec.model_validate(values | {"bias_correction": [True, False]})
    points = Combinations(spec, TWO)
    pairs = {limit: sum(f + r <= limit for f in range(limit + 1) for r in range(1, limit + 1, 2)) for limit in TWO.values()}
    assert points.size == count(spec, TWO) == sum(pairs.values()) * 2 * 2_000_000_000**2 * 900_000_001**2 * 900_000_000**3
    first, last = points[0], points[points.size - 1]
    assert (first.model, first.freeze_depth, first.reinit_count, first.epochs, first.max_grad_norm) == ("small", 0, 1, 1, 1e-9)
    assert (last.model, last.freeze_depth, last.reinit_count, last.epochs, last.max_grad_norm) == (
        "large",
        7,
        1,
        2 * 10**9,
        0.9,
    )
    search, study = SearchSpace(spec, TWO), optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        drawn = search.suggest(study.ask())
        assert all(getattr(drawn, name) in (values_of(getattr(spec, name)) or ()) for name in values)
        study.enqueue_trial(search.parameters_of(drawn))
        assert search.suggest(study.ask()) == drawn


@pytest.mark.parametrize("step", [0.1, 0.3, 1e-3])
def test_a_float_that_is_drawn_in_steps_is_the_one_that_is_counted(step: float) -> None:
    """Where Optuna draws 0.30000000000000004, say, the grid has 0.3, and nothing is tried twice."""
    spec = SpaceSpec.model_validate({"weight_decay": {"low": 0.0, "high": 0.9, "step": step}})
    search, study = SearchSpace(spec, ONE), optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert {search.suggest(study.ask()) for _ in range(200)} <= set(Combinations(spec, ONE))


@settings(max_examples=60)
@given(spaces())
def test_vanilla_is_offered_exactly_where_the_space_holds_it(space: tuple[SpaceSpec, dict[str, int]]) -> None:
    spec, blocks = space
    search = SearchSpace(spec, blocks)
    for model in blocks:
        parameters = search.vanilla_parameters(model)
        held = any(c.strategy.is_vanilla and c.model == model for c in Combinations(spec, blocks))
        assert (parameters is not None) == held
        if parameters is not None:
            study = optuna.create_study()
            study.enqueue_trial(parameters)
            drawn = search.suggest(study.ask())
            assert (drawn.model, drawn.strategy) == (model, Strategy())


def test_an_explicit_list_is_sampled_as_it_stands() -> None:
    spec = SpaceSpec.model_validate({"strategy": ["vanilla", {"freeze_depth": 4, "reinit_count": 2}], "epochs": [3, 5]})
    found = {(c.strategy, c.epochs) for c in Combinations(spec, ONE)}
    assert found == {(s, e) for s in (Strategy(), Strategy(4, 1.0, 2)) for e in (3, 5)}
    search, study = SearchSpace(spec, ONE), optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert {search.suggest(study.ask()) for _ in range(40)} == set(Combinations(spec, ONE))
    assert search.vanilla_parameters("m") == {"strategy": "vanilla"}


def test_a_strategy_too_deep_for_one_of_the_models_is_left_out_for_that_one() -> None:
    spec = SpaceSpec.model_validate({"strategy": ["vanilla", {"freeze_depth": 6}, {"reinit_count": 8}, {"freeze_depth": 4}]})
    found = [(c.model, c.strategy.label) for c in Combinations(spec, TWO)]
    large = ["vanilla", "freeze 6", "reinit 8", "freeze 4"]
    assert found == [("small", "vanilla"), ("small", "freeze 4"), *(("large", label) for label in large)]
    assert (count(spec, TWO), pairs_left_out(spec, TWO)) == (6, 2)
    search = SearchSpace(spec, TWO)
    assert search.parameters_of(Configuration(model="large")) == {"model": "large", "strategy": "vanilla"}
    assert search.parameters_of(Configuration(model="small")) == {"model": "small", "strategy_within_4": "vanilla"}


def test_a_single_model_is_no_parameter() -> None:
    search = SearchSpace(SpaceSpec.model_validate({"freeze_depth": [0, 2, 4]}), ONE)
    assert search.parameters_of(Configuration(model="m", freeze_depth=2)) == {"freeze_depth": 2}


def test_a_rank_stands_for_the_same_depth_in_every_trial() -> None:
    """What TPE learns from one model's trials about a depth is about that depth of the others too."""
    spec = SpaceSpec.model_validate({"freeze_depth": [6, 0, 2, 4], "reinit_count": [0, 1, 5]})
    search = SearchSpace(spec, TWO)
    meaning: dict[tuple[str, int], set[int]] = {}
    for point in Combinations(spec, TWO):
        for name, value in search.parameters_of(point).items():
            if name.endswith("_rank"):
                meaning.setdefault((name, value), set()).add(getattr(point, name.removesuffix("_rank")))
    assert len(meaning) == 7
    assert all(len(depths) == 1 for depths in meaning.values())


def test_a_model_that_can_have_nothing_of_the_space_is_refused() -> None:
    spec = SpaceSpec.model_validate({"freeze_depth": [5, 8]})
    with pytest.raises(ValueError, match="small"):
        SearchSpace(spec, TWO)


def test_float_ranges_are_sampled_within_their_bounds_and_have_no_end() -> None:
    spec = SpaceSpec.model_validate({"learning_rate": {"low": 1e-5, "high": 1e-4, "log": True}})
    assert count(spec, ONE) is None
    with pytest.raises(ValueError, match="learning_rate"):
        list(Combinations(spec, ONE))
    search, study = SearchSpace(spec, ONE), optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    rates = [search.suggest(study.ask()).learning_rate for _ in range(200)]
    assert all(1e-5 <= rate <= 1e-4 for rate in rates)
    # Uniform in the logarithm: half of the draws lie below the geometric mean.
    assert 0.35 < sum(rate < math.sqrt(1e-9) for rate in rates) / 200 < 0.65


@pytest.mark.parametrize(
    ("sampler", "asked", "expected"),
    [("grid", None, 4), ("grid", 3, 3), ("tpe", None, 4), ("random", 100, 4), ("tpe", 2, 2)],
)
def test_no_more_configurations_are_planned_than_there_are(sampler: str, asked: int | None, expected: int) -> None:
    spec = SpaceSpec.model_validate({"epochs": [1, 2, 3, 4]})
    assert planned_configurations(spec, ONE, sampler, asked) == expected
    endless = SpaceSpec.model_validate({"decay_rate": {"low": 0.5, "high": 1.0}})
    assert planned_configurations(endless, ONE, "tpe", None) == 20


def test_the_model_and_the_strategy_are_the_first_axes() -> None:
    assert STRATEGY_NAMES[:3] == ("freeze_depth", "decay_rate", "reinit_count")
    assert HYPERPARAMETER_NAMES[: 1 + len(STRATEGY_NAMES)] == ("model", *STRATEGY_NAMES)

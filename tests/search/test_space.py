from __future__ import annotations

import math

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blurb_tune.core.trial import HYPERPARAMETER_NAMES, STRATEGY_NAMES, Configuration, Strategy
from blurb_tune.search.combinations import (
    combinations,
    count,
    is_feasible,
    pairs_left_out,
    planned_configurations,
)
from blurb_tune.search.space import SearchSpace
from blurb_tune.spec.schema import SpaceSpec
from tests.search.spaces import spaces

ONE = {"m": 6}
TWO = {"small": 4, "large": 8}


@settings(max_examples=80)
@given(spaces(), st.integers(0, 2**31))
def test_a_sample_is_a_feasible_point_of_the_space(space: tuple[SpaceSpec, dict[str, int]], seed: int) -> None:
    spec, blocks = space
    search = SearchSpace(spec, blocks)
    points = set(combinations(spec, blocks))
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
    points = list(combinations(spec, blocks))
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
    alone = [point for model, limit in blocks.items() for point in combinations(spec, {model: limit})]
    assert list(combinations(spec, blocks)) == alone
    unbounded = combinations(spec, dict.fromkeys(blocks, 100))
    assert alone == [point for point in unbounded if is_feasible(point.strategy, blocks[point.model])]


@settings(max_examples=60)
@given(spaces())
def test_vanilla_is_offered_exactly_where_the_space_holds_it(space: tuple[SpaceSpec, dict[str, int]]) -> None:
    spec, blocks = space
    search = SearchSpace(spec, blocks)
    for model in blocks:
        parameters = search.vanilla_parameters(model)
        held = any(c.strategy.is_vanilla and c.model == model for c in combinations(spec, blocks))
        assert (parameters is not None) == held
        if parameters is not None:
            study = optuna.create_study()
            study.enqueue_trial(parameters)
            drawn = search.suggest(study.ask())
            assert (drawn.model, drawn.strategy) == (model, Strategy())


def test_an_explicit_list_is_sampled_as_it_stands() -> None:
    spec = SpaceSpec.model_validate({"strategy": ["vanilla", {"freeze_depth": 4, "reinit_count": 2}], "epochs": [3, 5]})
    found = {(c.strategy, c.epochs) for c in combinations(spec, ONE)}
    assert found == {(s, e) for s in (Strategy(), Strategy(4, 1.0, 2)) for e in (3, 5)}
    search, study = SearchSpace(spec, ONE), optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert {search.suggest(study.ask()) for _ in range(40)} == set(combinations(spec, ONE))
    assert search.vanilla_parameters("m") == {"strategy": "vanilla"}


def test_a_strategy_too_deep_for_one_of_the_models_is_left_out_for_that_one() -> None:
    spec = SpaceSpec.model_validate({"strategy": ["vanilla", {"freeze_depth": 6}, {"reinit_count": 8}, {"freeze_depth": 4}]})
    found = [(c.model, c.strategy.label) for c in combinations(spec, TWO)]
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
    for point in combinations(spec, TWO):
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
        list(combinations(spec, ONE))
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
    assert STRATEGY_NAMES == ("freeze_depth", "decay_rate", "reinit_count")
    assert HYPERPARAMETER_NAMES[:4] == ("model", *STRATEGY_NAMES)

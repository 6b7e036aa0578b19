from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from blurb_tune.search.combinations import combinations, count, is_feasible, planned_configurations
from blurb_tune.search.space import SearchSpace
from blurb_tune.spec.dimensions import bounds_of
from blurb_tune.spec.schema import SpaceSpec
from blurb_tune.trial import STRATEGY_NAMES, Strategy


def depths(blocks: int) -> st.SearchStrategy[Any]:
    """A dimension of whole numbers from 0 to `blocks`: fixed, a choice, or a range."""
    values = st.integers(0, blocks)
    ranges = st.tuples(values, values, st.integers(1, 3)).filter(lambda r: r[0] < r[1])
    return st.one_of(
        values,
        st.lists(values, min_size=1, unique=True),
        ranges.map(lambda r: {"low": r[0], "high": r[1], "step": r[2]}),
    )


@st.composite
def spaces(draw: st.DrawFn) -> tuple[SpaceSpec, int]:
    blocks = draw(st.integers(1, 12))
    values: dict[str, Any] = {
        "freeze_depth": draw(depths(blocks)),
        "reinit_count": draw(depths(blocks)),
        "decay_rate": draw(st.sampled_from([1.0, [0.8, 0.9], {"low": 0.5, "high": 1.0, "step": 0.25}])),
        "bias_correction": draw(st.sampled_from([True, [True, False]])),
        "max_grad_norm": draw(st.sampled_from([1.0, [None, 1.0]])),
    }
    spec = SpaceSpec.model_validate(values)
    least = Strategy(freeze_depth=bounds_of(spec.freeze_depth)[0], reinit_count=bounds_of(spec.reinit_count)[0])
    assume(is_feasible(least, blocks))
    return spec, blocks


@settings(max_examples=60)
@given(spaces(), st.integers(0, 2**31))
def test_a_sample_is_a_feasible_point_of_the_space(space: tuple[SpaceSpec, int], seed: int) -> None:
    spec, blocks = space
    search = SearchSpace(spec, blocks)
    points = set(combinations(spec, blocks))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(5):
        trial = study.ask()
        configuration = search.suggest(trial)
        assert configuration in points
        assert configuration.freeze_depth + configuration.reinit_count <= blocks
        assert search.parameters_of(configuration) == trial.params


@settings(max_examples=40)
@given(spaces())
def test_every_feasible_point_can_be_sampled(space: tuple[SpaceSpec, int]) -> None:
    """Given a point's parameters, the search space arrives at the point."""
    spec, blocks = space
    search = SearchSpace(spec, blocks)
    points = list(combinations(spec, blocks))
    assert len(points) == len(set(points)) == count(spec, blocks)
    study = optuna.create_study()
    for point in points[:30]:
        study.enqueue_trial(search.parameters_of(point))
        assert search.suggest(study.ask()) == point


@settings(max_examples=60)
@given(spaces())
def test_vanilla_is_offered_exactly_where_the_space_holds_it(space: tuple[SpaceSpec, int]) -> None:
    spec, blocks = space
    search = SearchSpace(spec, blocks)
    parameters = search.vanilla_parameters()
    assert (parameters is not None) == any(c.strategy.is_vanilla for c in combinations(spec, blocks))
    if parameters is not None:
        study = optuna.create_study()
        study.enqueue_trial(parameters)
        assert search.suggest(study.ask()).strategy == Strategy()


def test_an_explicit_list_is_sampled_as_it_stands() -> None:
    spec = SpaceSpec.model_validate({"strategy": ["vanilla", {"freeze_depth": 4, "reinit_count": 2}], "epochs": [3, 5]})
    found = {(c.strategy, c.epochs) for c in combinations(spec, 6)}
    assert found == {(s, e) for s in (Strategy(), Strategy(4, 1.0, 2)) for e in (3, 5)}
    search, study = SearchSpace(spec, 6), optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert {search.suggest(study.ask()) for _ in range(40)} == set(combinations(spec, 6))
    assert search.vanilla_parameters() == {"strategy": "vanilla"}


def test_float_ranges_are_sampled_within_their_bounds_and_have_no_end() -> None:
    spec = SpaceSpec.model_validate({"learning_rate": {"low": 1e-5, "high": 1e-4, "log": True}})
    assert count(spec, 6) is None
    with pytest.raises(ValueError, match="learning_rate"):
        list(combinations(spec, 6))
    search, study = SearchSpace(spec, 6), optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
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
    assert planned_configurations(spec, 6, sampler, asked) == expected
    endless = SpaceSpec.model_validate({"decay_rate": {"low": 0.5, "high": 1.0}})
    assert planned_configurations(endless, 6, "tpe", None) == 20


def test_strategy_names_are_the_first_axes() -> None:
    assert STRATEGY_NAMES == ("freeze_depth", "decay_rate", "reinit_count")

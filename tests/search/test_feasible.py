"""Spaces over all techniques at once: what is counted, listed and drawn is exactly what is feasible."""

from __future__ import annotations

import itertools
from typing import Any

import optuna
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from blurb_tune.core.trial import STRATEGY_NAMES, Strategy
from blurb_tune.search.combinations import Combinations, count, has_strategy, holds, infeasible, why_empty
from blurb_tune.search.space import SearchSpace
from blurb_tune.spec.dimensions import values_of
from blurb_tune.spec.space import SpaceSpec
from blurb_tune.techniques.protocol import Axis
from blurb_tune.techniques.registry import AXES, NEUTRAL, SETTING_OF, TECHNIQUES, is_feasible, is_neutral

EXAMPLES = {name: values for of in TECHNIQUES for name, values in yaml.safe_load(of.example).items()}


def other_value(axis: Axis) -> Any:
    """One that is not the default."""
    if axis.type is str:
        return axis.choices[1]
    if axis.type is bool:
        return not axis.neutral
    return next(v for v in (2 * axis.neutral + 1, axis.neutral / 2, 0.1, 0.5) if v != axis.neutral and axis.fault(v) is None)


def dimension(axis: Axis) -> st.SearchStrategy[Any]:
    if axis.name in SETTING_OF:
        other = other_value(axis)
        return st.sampled_from([axis.neutral, other, [axis.neutral, other], [other, axis.neutral]])
    values = EXAMPLES[axis.name]
    options: list[Any] = [axis.neutral, values, values[::-1], *(value for value in values if value != axis.neutral)]
    if axis.up_to_blocks:
        options += [{"low": 0, "high": 3}, {"low": 1, "high": 5, "step": 2}]
    elif axis.type is float:
        low, high = sorted((min(values), max(values)))
        options.append({"low": low, "high": high, "step": round((high - low) / 4, 6)})
    return st.sampled_from(options)


@st.composite
def spaces(draw: st.DrawFn) -> SpaceSpec:
    """Two to four techniques that are not left neutral, with their settings."""
    chosen = draw(st.lists(st.sampled_from(TECHNIQUES), min_size=2, max_size=4, unique=True))
    found = {axis.name: draw(dimension(axis)) for technique in chosen for axis in technique.axes}
    for name, first in SETTING_OF.items():
        if found.get(first.name) == first.neutral:
            found.pop(name, None)
    return SpaceSpec.model_validate(found)


def by_force(space: SpaceSpec, blocks: int) -> set[Strategy]:
    """The product of all axes, without what is infeasible; settings that have no effect are at their default."""
    found = set()
    for values in itertools.product(*(values_of(getattr(space, name)) or [] for name in STRATEGY_NAMES)):
        point = dict(zip(STRATEGY_NAMES, values, strict=True))
        point |= {name: NEUTRAL[name] for name in STRATEGY_NAMES if is_neutral(name, point)}
        if is_feasible(point, blocks):
            found.add(Strategy(**point))
    return found


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(1, 6), st.integers(0, 2**31))
def test_what_is_drawn_counted_and_listed_is_what_is_feasible(space: SpaceSpec, limit: int, seed: int) -> None:
    expected = by_force(space, limit)
    blocks = {"m": limit}
    assert has_strategy(space, limit) == bool(expected)
    if not expected:
        assert "the nearest that fits is" in why_empty(space, "m", limit)
        return
    points = list(Combinations(space, blocks))
    assert count(space, blocks) == len(points) == len(set(points))
    assert {point.strategy for point in points} == expected
    search = SearchSpace(space, blocks)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(6):
        trial = study.ask()
        configuration = search.suggest(trial)
        assert configuration.strategy in expected
        assert holds(space, blocks, configuration)
        assert search.parameters_of(configuration) == pytest.approx(trial.params), "Optuna rounds by a formula of its own"
    for point in points[:: max(1, len(points) // 10)]:
        study.enqueue_trial(search.parameters_of(point))
        assert search.suggest(study.ask()) == point


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(1, 6))
def test_what_is_infeasible_is_monotone(space: SpaceSpec, blocks: int) -> None:
    """A strategy stays feasible when an axis goes back to its neutral value: the search relies on it."""
    for strategy in itertools.islice(by_force(space, blocks), 20):
        values = vars(strategy)
        for technique in TECHNIQUES:
            assert is_feasible(values | {axis.name: axis.neutral for axis in technique.axes}, blocks)


def test_an_infeasible_strategy_of_a_list_comes_with_the_nearest_that_fits() -> None:
    space = SpaceSpec.model_validate({"strategy": ["vanilla", {"freeze_depth": 3, "reinit_count": 3}]})
    ((path, what),) = infeasible(space, {"m": 4})
    assert path == ("strategy", 1)
    assert what == (
        "`freeze_depth + reinit_count <= 4` must hold (m has 4 blocks); "
        "the nearest that fits is {freeze_depth: 3, reinit_count: 1}"
    )
    assert not list(infeasible(space, {"m": 4, "larger": 6}))


def test_axes_are_all_those_of_the_space() -> None:
    assert set(AXES) <= set(SpaceSpec.model_fields)


@pytest.mark.parametrize("space", [{"lora_alpha": 32.0}, {"strategy": [{"lora_alpha": 32.0}]}])
def test_a_setting_needs_its_technique(space: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="`lora_alpha` has no effect without `lora_rank`"):
        SpaceSpec.model_validate(space)


def test_techniques_that_exclude_each_other_are_named() -> None:
    space = SpaceSpec.model_validate({"lora_rank": 8, "mixout": [0.3, 0.5]})
    assert not has_strategy(space, 6)
    assert why_empty(space, "m", 6) == (
        "no configuration is feasible: `lora_rank` and `mixout` cannot be combined (m has 6 blocks); "
        "the nearest that fits is {mixout: 0.3}"
    )

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from blurb_tune.core.seeds import derive
from blurb_tune.core.trial import Configuration
from blurb_tune.search.combinations import Combinations, count
from blurb_tune.search.study import ConfigurationStudy, Suggestion
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.spec.space import SpaceSpec
from tests.search.spaces import spaces

BLOCKS = {"tiny": 6}
SEVERAL = {"base": 4, "large": 8, "other": 4}
SPACES: dict[str, dict[str, Any]] = {
    "ranges": {"freeze_depth": {"low": 0, "high": 6}, "reinit_count": {"low": 0, "high": 6}, "decay_rate": [0.8, 1.0]},
    "choices": {"freeze_depth": [0, 2, 4, 6], "reinit_count": [0, 1, 2, 4], "learning_rate": {"low": 1e-5, "high": 1e-4}},
    "list": {"strategy": ["vanilla", {"freeze_depth": 4}, {"reinit_count": 2}], "epochs": {"low": 3, "high": 9}},
}


def make_spec(space: dict[str, Any], **search: Any) -> SweepSpec:
    data = {"name": "s", "task": "demo", "model": "tiny", "space": space, "search": search}
    return SweepSpec.model_validate(data)


def make_study(space: dict[str, Any], blocks: Mapping[str, int] = BLOCKS, **search: Any) -> ConfigurationStudy:
    return ConfigurationStudy(make_spec(space, **search), blocks)


def value_of(configuration: Configuration) -> float:
    return -abs(configuration.reinit_count - 2) - 0.3 * abs(configuration.freeze_depth - 1) - configuration.decay_rate


def finish(study: ConfigurationStudy, suggestion: Suggestion) -> None:
    study.tell(suggestion.configuration_id, [value_of(suggestion.configuration)], 0.0)


def run(study: ConfigurationStudy, past: list[Suggestion]) -> list[Suggestion]:
    """All suggestions of a sequential sweep, the first of them taken from an earlier one's log."""
    for suggestion in past:
        assert study.replay(suggestion.parameters) == suggestion
        finish(study, suggestion)
    found = list(past)
    while suggestion := study.ask():
        finish(study, suggestion)
        found.append(suggestion)
    return found


@pytest.mark.parametrize("blocks", [BLOCKS, SEVERAL], ids=["one model", "several models"])
@pytest.mark.parametrize("space", SPACES.values(), ids=list(SPACES))
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_same_spec_suggests_the_same_also_after_any_interruption(
    space: dict[str, Any], sampler: str, blocks: Mapping[str, int]
) -> None:
    def fresh() -> ConfigurationStudy:
        return make_study(space, blocks, sampler=sampler, configurations=14, seed=3)

    whole = run(fresh(), [])
    assert len(whole) == 14
    assert whole == run(fresh(), [])
    for cut in (6, 13):
        assert run(fresh(), whole[:cut]) == whole
    other = run(make_study(space, blocks, sampler=sampler, configurations=14, seed=4), [])
    assert [s.configuration for s in other] != [s.configuration for s in whole]


@settings(max_examples=15)
@given(spaces(), st.sampled_from(["tpe", "random"]), st.integers(0, 1000))
def test_no_suggestion_is_beyond_its_model_s_blocks(space: tuple[SpaceSpec, dict[str, int]], sampler: str, seed: int) -> None:
    """Whatever the sampler has learned; and what it drew is enough to arrive at the same configurations again."""
    spec, blocks = space
    settings = {"sampler": sampler, "seed": seed, "configurations": 12, "startup_configurations": 3}
    found = run(make_study(spec.model_dump(mode="json"), blocks, **settings), [])
    points = set(Combinations(spec, blocks))
    assert len({s.configuration for s in found}) == len(found) == min(12, len(points))
    assert {s.configuration for s in found} <= points
    assert run(make_study(spec.model_dump(mode="json"), blocks, **settings), found[: len(found) // 2]) == found


@settings(max_examples=40)
@given(spaces(), st.booleans())
def test_a_grid_is_every_feasible_point_once(space: tuple[SpaceSpec, dict[str, int]], vanilla_first: bool) -> None:
    spec, blocks = space
    found = run(make_study(spec.model_dump(mode="json"), blocks, sampler="grid", vanilla_first=vanilla_first), [])
    points = list(Combinations(spec, blocks))
    assert len(found) == count(spec, blocks) == len(points)
    assert {s.configuration for s in found} == set(points)
    if not vanilla_first:
        assert [s.configuration for s in found] == points


@settings(max_examples=40)
@given(spaces(), st.sampled_from(["tpe", "random", "grid"]), st.integers(1, 6))
def test_vanilla_of_each_model_comes_first(space: tuple[SpaceSpec, dict[str, int]], sampler: str, asked: int) -> None:
    """Wherever the space holds it, and also where fewer configurations are asked for than there are."""
    spec, blocks = space
    found = run(make_study(spec.model_dump(mode="json"), blocks, sampler=sampler, configurations=asked), [])
    held = {c.model for c in Combinations(spec, blocks) if c.strategy.is_vanilla}
    first = [s.configuration for s in found[: len(blocks)] if s.configuration.strategy.is_vanilla]
    if held:
        assert [c.model for c in first] == list(blocks)[: len(found)]


def test_no_configuration_is_suggested_twice_and_a_small_space_is_used_up() -> None:
    found = run(make_study({"reinit_count": {"low": 0, "high": 6}}, configurations=100), [])
    assert sorted(s.configuration.reinit_count for s in found) == list(range(7))


def test_a_study_is_exhausted_once_it_has_nothing_more_to_suggest() -> None:
    study = make_study({"epochs": [1, 2]})
    assert study.ask()
    assert study.ask()
    assert not study.is_exhausted
    assert study.ask() is None
    assert study.is_exhausted


def test_a_grid_comes_in_the_order_of_the_spec() -> None:
    found = run(make_study({"strategy": ["vanilla", {"freeze_depth": 4}], "epochs": [5, 3]}, sampler="grid"), [])
    assert [(s.configuration.freeze_depth, s.configuration.epochs) for s in found] == [(0, 5), (0, 3), (4, 5), (4, 3)]


def test_a_sample_of_a_grid_is_what_it_was_when_grids_were_lists() -> None:
    """The configurations of a sweep that an earlier version began."""
    space = {"freeze_depth": [0, 2, 4], "reinit_count": {"low": 0, "high": 3}, "epochs": [3, 5, 7, 9]}
    for asked in (1, 3, 10, 60):
        found = run(make_study(space, SEVERAL, sampler="grid", configurations=asked, seed=2), [])
        points = list(Combinations(SpaceSpec.model_validate(space), SEVERAL))
        first = [next(c for c in points if c.model == model and c.strategy.is_vanilla) for model in SEVERAL]
        rest = [c for c in points if c not in first]
        drawn = random.Random(derive(2, "grid")).sample(rest, max(0, asked - 3))
        assert [s.configuration for s in found] == (first + drawn)[:asked]


@pytest.mark.parametrize("blocks", [BLOCKS, SEVERAL], ids=["one model", "several models"])
def test_a_sample_of_a_vast_grid_is_drawn_without_listing_it(blocks: Mapping[str, int]) -> None:
    space = {
        "freeze_depth": {"low": 0, "high": 6},
        "reinit_count": {"low": 0, "high": 6},
        "epochs": {"low": 1, "high": 2 * 10**9},
        "learning_rate": {"low": 1e-5, "high": 1.0, "step": 1e-9},
    }

    def fresh(seed: int = 0, **search: Any) -> ConfigurationStudy:
        return make_study(space, blocks, **{"sampler": "grid", "configurations": 20, "seed": seed} | search)

    whole = run(fresh(), [])
    found = [s.configuration for s in whole]
    assert len(set(found)) == len(found) == 20
    assert [(c.model, c.strategy.is_vanilla, c.epochs) for c in found[: len(blocks)]] == [(m, True, 1) for m in blocks]
    assert all(c.freeze_depth + c.reinit_count <= blocks[c.model] for c in found)
    assert len({c.epochs for c in found[len(blocks) :]}) == 20 - len(blocks)
    assert run(fresh(), whole[:7]) == whole
    assert run(fresh(seed=1), []) != whole
    everything = fresh(configurations=None)
    assert everything.planned > 10**18
    suggestion = everything.ask()
    assert suggestion is not None
    assert suggestion.configuration == found[0]
    sampler = {"sampler": "random", "configurations": 30}
    assert len({s.configuration for s in run(fresh(**sampler), [])}) == 30


def test_an_endless_space_of_two_numbers_is_used_up() -> None:
    low = 1e-5
    rates = {"low": low, "high": math.nextafter(low, 1)}
    study = make_study({"learning_rate": rates}, sampler="random", configurations=9)
    found = [s.configuration.learning_rate for s in run(study, [])]
    assert len(set(found)) == len(found) > 0
    assert set(found) <= set(rates.values())
    assert study.is_exhausted


@pytest.mark.parametrize(("vanilla_first", "expected"), [(True, True), (False, False)])
def test_vanilla_comes_first_when_asked(vanilla_first: bool, expected: bool) -> None:
    space = {"freeze_depth": {"low": 0, "high": 6}, "learning_rate": {"low": 1e-5, "high": 1e-4}}
    firsts = [make_study(space, seed=seed, vanilla_first=vanilla_first).ask() for seed in range(4)]
    assert all(s is not None and s.configuration.strategy.is_vanilla for s in firsts) is expected


@pytest.mark.parametrize(
    "depths",
    [
        {"freeze_depth": {"low": 0, "high": 8}, "reinit_count": {"low": 0, "high": 4}},
        {"freeze_depth": [0, 1, 2, 4, 6, 8], "reinit_count": [0, 1, 2, 4]},
        {"strategy": ["vanilla", *({"freeze_depth": f, "reinit_count": r} for f in (2, 4, 6) for r in (0, 1, 2))]},
    ],
    ids=["ranges", "choices", "list"],
)
def test_tpe_learns_also_where_the_depths_on_offer_depend_on_the_model(depths: dict[str, Any]) -> None:
    """Each model has an optimum of its own, the better one at a depth that only one of the three has."""
    space = {**depths, "learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}}

    def late_value(sampler: str) -> float:
        values = []
        for seed in range(3):
            study = make_study(space, SEVERAL, sampler=sampler, configurations=30, seed=seed)
            while suggestion := study.ask():
                point = suggestion.configuration
                best = 6 if point.model == "large" else 2
                values.append(-abs(point.freeze_depth - best) - abs(point.reinit_count - 1) - (point.model != "large"))
                study.tell(suggestion.configuration_id, [values[-1]], 0.0)
        return sum(sum(values[start + 15 : start + 30]) for start in range(0, 90, 30)) / 45

    assert late_value("tpe") > late_value("random") + 0.5


def test_tpe_learns_what_random_search_cannot() -> None:
    """The later half of its suggestions lies nearer to the optimum, on the average of several sweeps."""
    space = {"decay_rate": {"low": 0.1, "high": 1.0}, "weight_decay": {"low": 0.0, "high": 1.0}}

    def late_distance(sampler: str) -> float:
        distances = []
        for seed in range(4):
            study = make_study(space, sampler=sampler, configurations=24, seed=seed, vanilla_first=False)
            while suggestion := study.ask():
                point = suggestion.configuration
                distances.append(abs(point.decay_rate - 0.8) + abs(point.weight_decay - 0.3))
                study.tell(suggestion.configuration_id, [-distances[-1]], 0.0)
        return sum(sum(distances[start + 12 : start + 24]) for start in range(0, 96, 24)) / 48

    assert late_distance("tpe") < 0.8 * late_distance("random")


def trial_of(study: ConfigurationStudy, number: int) -> optuna.trial.FrozenTrial:
    return study.study.trials[number]


def test_optuna_is_told_what_came_of_a_configuration() -> None:
    study = make_study({"epochs": [1, 2, 3]}, sampler="grid")
    for state in ("COMPLETE", "STOPPED", "FAIL"):
        suggestion = study.ask()
        assert suggestion is not None
        study.tell(suggestion.configuration_id, [math.nan if state == "FAIL" else 0.5], 0.4)
        study.tell(suggestion.configuration_id, [0.7], 0.0)
    states = [trial.state for trial in study.study.trials]
    assert states == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.FAIL]
    assert trial_of(study, 0).value == 0.5
    assert trial_of(study, 1).value == 0.5, "one that was stopped is ranked by what it reached, and told once"
    assert [trial.constraints["failed_share"] for trial in study.study.trials] == [0.4, 0.4, 0.4]


def test_the_share_of_failed_runs_makes_a_configuration_infeasible() -> None:
    """TPE turns away from the better half of the space when its seeds fail."""

    def share_of_failing_half(constrained: bool) -> float:
        low = 0
        for seed in range(5):
            study = make_study({"decay_rate": {"low": 0.5, "high": 1.0}}, configurations=25, seed=seed, vanilla_first=False)
            while suggestion := study.ask():
                rate = suggestion.configuration.decay_rate
                study.tell(suggestion.configuration_id, [-rate], 0.6 if constrained and rate < 0.75 else 0.0)
                low += rate < 0.75
        return low / 125

    assert share_of_failing_half(constrained=True) < share_of_failing_half(constrained=False) - 0.2


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize(
    ("space", "kinds"),
    [
        ({"strategy": ["vanilla", {"freeze_depth": 4}, {"reinit_count": 2}], "epochs": {"low": 3, "high": 99}}, 3),
        ({**SPACES["ranges"], "learning_rate": {"low": 1e-5, "high": 1e-4}}, 8),
        ({"reinit_count": {"low": 0, "high": 6}, "learning_rate": {"low": 1e-5, "high": 1e-4}}, 2),
    ],
    ids=["list", "three techniques", "one technique"],
)  # fmt: skip
@pytest.mark.parametrize("blocks", [BLOCKS, {"base": 6, "large": 8}], ids=["one model", "two models"])
def test_vanilla_is_picked_from_as_many_configurations_as_the_average_strategy(
    sampler: str, space: dict[str, Any], kinds: int, blocks: dict[str, int]
) -> None:
    planned = 6 * kinds
    found = run(make_study(space, blocks, sampler=sampler, configurations=planned), [])
    assert len(found) == planned
    for model in blocks:
        vanilla = [s.configuration for s in found if s.configuration.strategy.is_vanilla and s.configuration.model == model]
        assert len(vanilla) >= planned / (kinds * len(blocks))
        assert len(set(vanilla)) == len(vanilla)


def test_vanilla_that_has_one_configuration_is_suggested_once() -> None:
    study = make_study(SPACES["ranges"], sampler="random", configurations=60)
    found = run(study, [])
    assert sum(s.configuration.strategy.is_vanilla for s in found) == 1
    failed = study.study.get_trials(states=[TrialState.FAIL])
    assert not any("fixed_params" in trial.system_attrs for trial in failed), "none was asked for again"

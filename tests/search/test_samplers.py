"""Every sampler of the table: feasible, never twice the same, and taken up from a log as if it had never stopped."""

from __future__ import annotations

import math
import typing
from typing import Any

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from blurb_tune.core.trial import Configuration
from blurb_tune.search.samplers import SAMPLERS, _at
from blurb_tune.search.study import ConfigurationStudy, Suggestion
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.spec.search import SearchSpec

SPACE: dict[str, Any] = {
    "freeze_depth": {"low": 0, "high": 6}, "reinit_count": [0, 1, 2, 4], "decay_rate": {"low": 0.7, "high": 1.0, "step": 0.1},
    "learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}, "batch_size": [8, 16],
}  # fmt: skip
BLOCKS = {"small": 6, "large": 8}
PLANNED = 24


def make_study(sampler: str, objective: str = "mean", planned: int = PLANNED, seed: int = 0) -> ConfigurationStudy:
    space = SPACE if sampler != "grid" else SPACE | {"learning_rate": [1e-5, 1e-4]}
    spec = SweepSpec.model_validate(
        {
            "name": "s", "task": "demo", "model": list(BLOCKS), "space": space, "objective": objective,
            "search": {"sampler": sampler, "configurations": planned, "seed": seed},
        }
    )  # fmt: skip
    return ConfigurationStudy(spec, BLOCKS)


def values_of(configuration: Configuration, objective: str) -> list[float]:
    rate = abs(math.log10(configuration.learning_rate) + 4)
    mean = 1 - rate - 0.05 * abs(configuration.freeze_depth - 2) - 0.1 * (configuration.reinit_count != 1)
    return [mean, 0.1 * rate + 0.02 * configuration.reinit_count] if objective == "pareto" else [mean]


def run(study: ConfigurationStudy, past: list[Suggestion], objective: str = "mean") -> list[Suggestion]:
    found = []
    for suggestion in past:
        assert study.replay(suggestion.parameters) == suggestion
        study.tell(suggestion.configuration_id, values_of(suggestion.configuration, objective), 0.0)
        found.append(suggestion)
    while suggestion := study.ask():
        study.tell(suggestion.configuration_id, values_of(suggestion.configuration, objective), 0.0)
        found.append(suggestion)
    return found


def test_the_spec_names_those_of_the_table() -> None:
    assert set(typing.get_args(SearchSpec.model_fields["sampler"].annotation)) == SAMPLERS.keys()


@pytest.mark.parametrize("objective", ["mean", "pareto"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_that_is_taken_up_suggests_what_it_would_have(sampler: str, objective: str) -> None:
    planned = 7 if sampler == "gp" else PLANNED  # a Gaussian process takes its time, from the fifth on

    def study() -> ConfigurationStudy:
        return make_study(sampler, objective, planned)

    whole = run(study(), [], objective)
    assert len({s.configuration for s in whole}) == len(whole) == planned
    for suggestion in whole:
        configuration = suggestion.configuration
        assert configuration.freeze_depth + configuration.reinit_count <= BLOCKS[configuration.model]
    for cut in (planned // 3, planned - 2):
        assert run(study(), whole[:cut], objective) == whole


@pytest.mark.parametrize("sampler", [name for name, of in SAMPLERS.items() if of.is_guided])
def test_a_guided_sampler_comes_nearer_to_the_best(sampler: str) -> None:
    """The mean of the last third, over some searches, is above that of random draws."""

    def late(name: str) -> float:
        found = [run(make_study(name, seed=seed, planned=planned), []) for seed in range(searches)]
        return float(np.mean([values_of(s.configuration, "mean")[0] for search in found for s in search[-planned // 3 :]]))

    planned, searches = (15, 2) if sampler == "gp" else (36, 4)
    assert late(sampler) > late("random") + 0.05


def test_a_sobol_sequence_covers_the_space_more_evenly_than_random_draws() -> None:
    """Of 64 rates as many are in each eighth of the range, but for those of vanilla, whose turn it is."""

    def unevenness(sampler: str) -> float:
        found = run(make_study(sampler, planned=64), [])
        places = [(math.log10(s.configuration.learning_rate) + 5) / 2 for s in found]
        return float(np.std(np.histogram(places, bins=8, range=(0, 1))[0]))

    assert unevenness("quasi_random") < 0.6 * unevenness("random")


@pytest.mark.parametrize(
    ("distribution", "values"),
    [
        (CategoricalDistribution(["a", "b"]), ["a", "a", "b", "b"]),
        (IntDistribution(2, 5), [2, 3, 4, 5]),
        (IntDistribution(0, 6, step=2), [0, 2, 4, 6]),
        (IntDistribution(1, 8, log=True), [1, 2, 4, 8]),
        (FloatDistribution(0.0, 1.0), [0.0, 0.25, 0.5, 0.999]),
        (FloatDistribution(0.1, 0.4, step=0.1), [0.1, 0.2, 0.3, 0.4]),
        (FloatDistribution(1.0, 16.0, log=True), [1.0, 2.0, 4.0, 15.95]),
    ],
)
def test_a_share_of_a_distribution_is_a_value(distribution: BaseDistribution, values: list[Any]) -> None:
    found = [_at(share, distribution) for share in (0.0, 0.25, 0.5, 0.999)]
    if isinstance(values[0], str):
        assert found == values
    elif isinstance(distribution, IntDistribution) and distribution.log:
        assert (found[0], found[-1]) == (1, 8)
        assert found == sorted(found)
    else:
        assert found == pytest.approx(values, rel=1e-2)
    assert all(distribution._contains(distribution.to_internal_repr(value)) for value in found)

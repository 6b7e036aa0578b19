"""The samplers that a spec can name: a table with an entry each.

Each suggestion gets a sampler of its own, seeded by its number, so that a search that is taken up from its log goes on as if
it had never stopped: what a sampler remembers must lie in the study.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
import scipy  # its parts are loaded when they are used, which a start does not wait for
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from blurb_tune.core.seeds import derive


@dataclass(frozen=True)
class Request:
    """What a sampler is made for. seed: of the search. number: of the suggestion. attempt: 0, or how often this number has
    been drawn in vain. planned: suggestions of the whole search. startup: random ones before results count. names: all
    parameters that the space may ask for."""

    seed: int
    number: int
    attempt: int
    planned: int
    startup: int
    names: Sequence[str]

    @property
    def own_seed(self) -> int:
        return derive(self.seed, "sampler", self.number, self.attempt) % 2**32


@dataclass(frozen=True)
class Sampler:
    """meaning: for the page of settings. make: for one suggestion. is_guided: results say what it suggests, so that open
    configurations are finished before new ones begin. has_generations: it notes in each trial, when it samples it, to which
    generation it belongs."""

    meaning: str
    make: Callable[[Request], optuna.samplers.BaseSampler]
    is_guided: bool = False
    has_generations: bool = False


def _tpe(request: Request) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=request.own_seed, n_startup_trials=request.startup)


def _gp(request: Request) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():  # experimental in name
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.GPSampler(seed=request.own_seed, n_startup_trials=request.startup)


def _nsga2(request: Request) -> optuna.samplers.BaseSampler:
    """Generations as large as there are of them: Optuna's 50 would leave a search of 40 configurations random."""
    size = max(4, round(math.sqrt(request.planned)))
    return optuna.samplers.NSGAIISampler(seed=request.own_seed, population_size=size)


class _Sobol(optuna.samplers.BaseSampler):
    """A point of the scrambled Sobol sequence (Owen 1998, ACM TOMACS 8:71), an axis for each parameter that may be asked for.

    Optuna's own draws parameters at random that not every trial has, and counts its points in the study.
    """

    def __init__(self, request: Request):
        sequence = scipy.stats.qmc.Sobol(len(request.names), seed=derive(request.seed, "sobol") % 2**32)
        # Points drawn in vain are taken from behind all planned ones.
        index = request.number + request.attempt * request.planned
        point = (sequence.fast_forward(index) if index else sequence).random(1)[0]
        self._point = dict(zip(request.names, map(float, point), strict=True))

    def infer_relative_search_space(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return _at(self._point[param_name], param_distribution)


def _at(share: float, distribution: BaseDistribution) -> Any:
    """The value that so large a share of the distribution lies below."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices[min(int(share * len(choices)), len(choices) - 1)]
        case IntDistribution(low=low, high=high, log=True):
            return min(high, max(low, round(math.exp(math.log(low - 0.5) + share * math.log((high + 0.5) / (low - 0.5))))))
        case IntDistribution(low=low, high=high, step=step):
            return low + step * min(int(share * ((high - low) // step + 1)), (high - low) // step)
        case FloatDistribution(low=low, high=high, log=True):
            return min(high, max(low, math.exp(math.log(low) + share * math.log(high / low))))
        case FloatDistribution(low=low, high=high, step=None):
            return low + share * (high - low)
        case FloatDistribution(low=low, high=high, step=float(step)):
            return low + step * min(int(share * (round((high - low) / step) + 1)), round((high - low) / step))
    raise TypeError(f"no such distribution is asked for: {distribution}")


SAMPLERS: Mapping[str, Sampler] = {
    "tpe": Sampler("Optuna's tree-structured Parzen estimator", _tpe, is_guided=True),
    "gp": Sampler("a Gaussian process, for few configurations of few axes", _gp, is_guided=True),
    "random": Sampler("random draws", lambda request: optuna.samplers.RandomSampler(seed=request.own_seed)),
    "quasi_random": Sampler("a scrambled Sobol sequence, which covers the space more evenly than random draws", _Sobol),
    "grid": Sampler("every combination", lambda request: optuna.samplers.RandomSampler(seed=request.own_seed)),
    "nsga2": Sampler("the genetic algorithm NSGA-II, for two objectives", _nsga2, is_guided=True, has_generations=True),
}

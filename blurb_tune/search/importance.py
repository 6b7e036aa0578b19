"""How much each searched hyperparameter has to do with a good objective."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator

from blurb_tune.core.seeds import derive

FEWEST = 20
_TOP, _FEWEST_TOP = 0.1, 15
_SHUFFLES, _LEVEL = 40, 0.95
_MOST_CHOICES, _LOG_RATIO = 6, 10


@dataclass(frozen=True)
class Importance:
    """share: of all hyperparameters' importances, which add up to 1. by_chance: the share that it would stay below in 95 of
    100 cases if it had nothing to do with the objective."""

    name: str
    share: float
    by_chance: float

    @property
    def is_beyond_chance(self) -> bool:
        return self.share > self.by_chance


def importances(
    points: Sequence[Mapping[str, Any]], objectives: Sequence[float], *, shuffles: int = _SHUFFLES
) -> list[Importance]:
    """The importances of the hyperparameters of `points`, n configurations with the same keys, for reaching the best
    `best_count` of the `objectives`, shape (n,), higher is better; the largest first. Empty for fewer than 20 points, fewer
    than two hyperparameters that vary, or objectives that are all equal.

    PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255) as Optuna has it, within what was sampled, so that a guided sampler does
    not count as importance. `by_chance` comes from objectives that are shuffled among the configurations, the same way each
    time: among few configurations any hyperparameter has some importance. Raises ValueError where `objectives` has another
    length, or one is not finite.
    """
    if len(points) != len(objectives) or not all(map(math.isfinite, objectives)):
        raise ValueError(f"each of {len(points)} points needs a finite objective, but got {list(objectives)}")
    distributions = {name: d for name in (points[0] if points else {}) if (d := _distribution([p[name] for p in points]))}
    if len(points) < FEWEST or len(distributions) < 2 or len(set(objectives)) < 2:
        return []
    study = _study([{name: _cast(point[name], of) for name, of in distributions.items()} for point in points], distributions)
    found = _evaluate(study, objectives)
    generator, chance = random.Random(derive(0, "importance")), [dict[str, float]() for _ in range(shuffles)]
    for index in range(shuffles):
        chance[index] = _evaluate(study, generator.sample(list(objectives), len(objectives)))
    total = math.fsum(found.values()) or 1.0
    result = []
    for name, value in found.items():
        by_chance = sorted(of[name] for of in chance)[min(shuffles - 1, math.ceil(_LEVEL * shuffles) - 1)] if shuffles else 0.0
        result.append(Importance(name, value / total, by_chance / total))
    return sorted(result, key=lambda importance: -importance.share)


def best_count(n: int) -> int:
    """How many of n configurations are the best ones: a tenth, but 15 at least, since fewer show no effect reliably; at most
    half."""
    return min(max(math.ceil(_TOP * n), _FEWEST_TOP), n // 2)


def is_logarithmic(values: Sequence[float]) -> bool:
    """Whether numbers, two different ones at least, look as if they were sampled in their logarithm: all are positive, the
    largest is at least ten times the smallest, and their median is nearer to the middle in the logarithm."""
    low, middle, high = min(values), median(values), max(values)
    if not (low > 0 and high / low >= _LOG_RATIO):
        return False
    of_logarithms = math.log(middle / low) / math.log(high / low)
    return abs(of_logarithms - 0.5) < abs((middle - low) / (high - low) - 0.5)


def _study(points: Sequence[dict[str, Any]], distributions: dict[str, BaseDistribution]) -> optuna.Study:
    """The points as complete trials; their objectives are asked for by number."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study()
    finally:
        optuna.logging.set_verbosity(verbosity)
    study.add_trials([optuna.trial.create_trial(params=of, distributions=distributions, value=0.0) for of in points])
    return study


def _evaluate(study: optuna.Study, objectives: Sequence[float]) -> dict[str, float]:
    """By hyperparameter, the importance of being among the best by these objectives."""
    with warnings.catch_warnings():  # that a target is minimized
        warnings.simplefilter("ignore", UserWarning)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=best_count(len(objectives)) / len(objectives))
        return dict(evaluator.evaluate(study, target=lambda trial: -objectives[trial.number]))


def _distribution(values: Sequence[Any]) -> BaseDistribution | None:
    """What the values are from, None where all are the same. Few values are categories, however far they are apart."""
    different = list(dict.fromkeys(values))
    if len(different) < 2:
        return None
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in different)
    if not is_number or len(different) <= _MOST_CHOICES:
        return CategoricalDistribution(sorted(map(repr, different)))
    low, high = min(different), max(different)
    is_log = is_logarithmic(different)
    if all(isinstance(value, int) for value in different):
        return IntDistribution(low, high, log=is_log)
    return FloatDistribution(low, high, log=is_log)


def _cast(value: Any, distribution: BaseDistribution) -> Any:
    return repr(value) if isinstance(distribution, CategoricalDistribution) else value

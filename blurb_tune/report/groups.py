"""The trials of a record taken together by configuration, strategy or family, and compared with vanilla of the same model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from blurb_tune.core.trial import Configuration
from blurb_tune.log.record import SweepRecord, TrialRecord
from blurb_tune.results.groups import GroupResult
from blurb_tune.results.groups import rank as rank_by_seeds


@dataclass(frozen=True)
class Group:
    """Trials of one model taken together.

    label: their strategy or family in words, with the model in front where the sweep has several. difference: of their mean
    score to that of all vanilla trials of the same model, NaN where there are none.
    """

    label: str
    model: str
    is_vanilla: bool
    trials: tuple[TrialRecord, ...]
    result: GroupResult
    difference: float


def by_configuration(record: SweepRecord) -> list[Group]:
    """One group per configuration, in the order of suggestion; the results are named by the configurations' ids."""
    trials: dict[str, list[TrialRecord]] = {name: [] for name in record.configurations}
    for trial in record.trials.values():
        trials[trial.configuration_id].append(trial)
    means = vanilla_means(record)
    return [
        _group(record.group(name, of), record.label(name), record.configurations[name].configuration, of, means)
        for name, of in trials.items()
    ]


def by_strategy(record: SweepRecord) -> list[Group]:
    """One group per model and strategy, vanilla first, the others by `rank`."""
    return _pooled(record, record.label)


def by_family(record: SweepRecord) -> list[Group]:
    """One group per model and strategy family, vanilla first, the others by `rank`."""
    return _pooled(record, record.family)


def _pooled(record: SweepRecord, label_of: Callable[[str], str]) -> list[Group]:
    trials: dict[str, list[TrialRecord]] = {}
    for trial in record.trials.values():
        trials.setdefault(label_of(trial.configuration_id), []).append(trial)
    means = vanilla_means(record)
    groups = [
        _group(record.group(label, of), label, record.configurations[of[0].configuration_id].configuration, of, means)
        for label, of in trials.items()
    ]
    return sorted(groups, key=lambda group: (not group.is_vanilla, rank(record, group.result)))


def _group(
    result: GroupResult,
    label: str,
    configuration: Configuration,
    trials: list[TrialRecord],
    means: Mapping[str, float],
) -> Group:
    difference = result.spread.mean - means.get(configuration.model, math.nan)
    return Group(label, configuration.model, configuration.strategy.is_vanilla, tuple(trials), result, difference)


def vanilla_means(record: SweepRecord) -> dict[str, float]:
    """The mean score of all vanilla trials by model, the reference of every comparison; models without one are left out."""
    trials: dict[str, list[TrialRecord]] = {}
    for trial in record.trials.values():
        configuration = record.configurations[trial.configuration_id].configuration
        if configuration.strategy.is_vanilla:
            trials.setdefault(configuration.model, []).append(trial)
    means = {model: record.group("vanilla", of).spread.mean for model, of in trials.items()}
    return {model: mean for model, mean in means.items() if not math.isnan(mean)}


def lacks_seeds(record: SweepRecord, result: GroupResult) -> bool:
    """Whether fewer runs gave a result than a configuration has: what is left over after censoring looks better than it is."""
    return result.n < record.header.runs


def rank(record: SweepRecord, result: GroupResult) -> tuple[bool, float, float]:
    """The sort key by which the winner is found: full sets of runs, least excess of failed ones, highest objective."""
    return rank_by_seeds(result, record.header.runs)

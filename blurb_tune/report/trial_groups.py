"""The trials of a record taken together by configuration, strategy or family, and compared with vanilla of the same model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from blurb_tune.core.trial import STRATEGY_NAMES, Configuration, Strategy
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.results.groups import GroupResult
from blurb_tune.results.groups import rank as rank_by_seeds


@dataclass(frozen=True)
class Group:
    """Trials of one model taken together.

    label: their strategy or family in words, with the model in front where the sweep has several. difference: of the mean of
    their best configuration to that of the best vanilla configuration of the same model, NaN where there is none and for that
    one itself. difference_to_same: to the vanilla configuration with the same other settings, of a single configuration.
    """

    label: str
    model: str
    is_vanilla: bool
    trials: tuple[TrialRecord, ...]
    result: GroupResult
    difference: float
    difference_to_same: float = math.nan


def by_configuration(record: SweepRecord) -> list[Group]:
    """One group per configuration, in the order of suggestion; the results are named by the configurations' ids."""
    references = record.references()
    vanilla = {c.configuration: name for name, c in record.configurations.items() if c.configuration.strategy.is_vanilla}
    groups = []
    for name, of in record.configurations.items():
        configuration, result = of.configuration, record.result_of(name)
        same = vanilla.get(replace(configuration, **{key: getattr(Strategy(), key) for key in STRATEGY_NAMES}))
        groups.append(
            Group(
                label=record.label(name),
                model=configuration.model,
                is_vanilla=configuration.strategy.is_vanilla,
                trials=tuple(record.trials_of(name)),
                result=result,
                difference=_difference(result, references.get(configuration.model)),
                difference_to_same=_difference(result, record.result_of(same) if same else None),
            )
        )
    return groups


def by_strategy(record: SweepRecord) -> list[Group]:
    """One group per model and strategy, vanilla first, the others by `rank`."""
    return _pool_by_label(record, record.label)


def by_family(record: SweepRecord) -> list[Group]:
    """One group per model and strategy family, vanilla first, the others by `rank`."""
    return _pool_by_label(record, record.family)


def lacks_seeds(record: SweepRecord, result: GroupResult) -> bool:
    """Whether fewer seeds gave a result than a configuration has: what is left after censoring looks better than it is."""
    return result.n < record.header.replicates


def rank(record: SweepRecord, result: GroupResult) -> tuple[bool, float, float]:
    """The sort key by which the winner is found: full sets of seeds, least excess of failed runs, highest objective."""
    return rank_by_seeds(result, record.header.replicates)


def _pool_by_label(record: SweepRecord, label_of: Callable[[str], str]) -> list[Group]:
    members: dict[str, list[str]] = {}
    for name in record.configurations:
        if record.trials_of(name):
            members.setdefault(label_of(name), []).append(name)
    references = record.references()
    groups = []
    for label, names in members.items():
        configuration: Configuration = record.configurations[names[0]].configuration
        trials = tuple(trial for name in names for trial in record.trials_of(name))
        best = record.best_of(names)
        difference = _difference(best, references.get(configuration.model)) if best else math.nan
        is_vanilla = configuration.strategy.is_vanilla
        groups.append(Group(label, configuration.model, is_vanilla, trials, record.group(label, trials), difference))
    return sorted(groups, key=lambda group: (not group.is_vanilla, rank(record, group.result)))


def _difference(result: GroupResult, reference: GroupResult | None) -> float:
    if reference is None or reference.name == result.name:
        return math.nan
    return result.summary.mean - reference.summary.mean

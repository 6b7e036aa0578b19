"""The trials of a record taken together by strategy, and compared with vanilla."""

from __future__ import annotations

import math

from blurb_tune.record import GroupResult, SweepRecord, TrialRecord


def by_strategy(record: SweepRecord) -> list[GroupResult]:
    """One result per strategy label, vanilla first, the others by `rank`."""
    strategies: dict[str, list[TrialRecord]] = {}
    for trial in record.trials.values():
        label = record.configurations[trial.configuration_id].configuration.strategy.label
        strategies.setdefault(label, []).append(trial)
    results = [record.group(label, trials) for label, trials in strategies.items()]
    return sorted(results, key=lambda result: (result.name != "vanilla", rank(record, result)))


def vanilla_mean(record: SweepRecord) -> float:
    """The mean score of all vanilla trials, the reference of every comparison; NaN when there are none."""
    trials = (t for t in record.trials.values() if record.configurations[t.configuration_id].configuration.strategy.is_vanilla)
    return record.group("vanilla", trials).spread.mean


def lacks_seeds(record: SweepRecord, result: GroupResult) -> bool:
    """Whether fewer seeds gave a result than the sweep has: what is left over after censoring looks better than it is."""
    return result.n < len(record.header.seeds)


def rank(record: SweepRecord, result: GroupResult) -> tuple[bool, float]:
    """A sort key: full sets of seeds first, then the highest objective, results without a score last."""
    return lacks_seeds(record, result), math.inf if math.isnan(result.objective) else -result.objective

"""What is claimed of a sweep: each strategy beside vanilla, and the winner on seeds that no decision has seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from blurb_tune.core.trial import STRATEGY_NAMES, Strategy
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.trial_groups import Group, by_family, by_strategy
from blurb_tune.results.groups import GroupResult
from blurb_tune.stats.comparison import Comparison, compare, compare_all
from blurb_tune.stats.crossed import VarianceShares, variance_shares

MAX_STRATEGIES = 15


@dataclass(frozen=True)
class Claim:
    """The best configuration of a strategy or family beside the best vanilla one of its model, over the seeds of the search.

    label: in words, with the model in front where there are several.
    """

    label: str
    result: GroupResult
    reference: str
    comparison: Comparison


@dataclass(frozen=True)
class Confirmation:
    """Winner and reference over the confirmation seeds. comparison: of the two, None while one of them has no result."""

    winner: GroupResult
    reference: GroupResult | None
    comparison: Comparison | None


@dataclass(frozen=True)
class VanillaShare:
    """Of how many configurations vanilla and the average other strategy, or family, had the best picked."""

    vanilla: int
    others: float
    is_fair: bool


def vanilla_share(record: SweepRecord) -> VanillaShare | None:
    """None where the sweep has no vanilla, nothing but vanilla, or strategies alone, each of which is one configuration.

    Fair is as many as the average strategy has, or the average family: where depths and rates are ranges, hardly two
    configurations are of one strategy.
    """
    is_vanilla = [c.configuration.strategy.is_vanilla for c in record.configurations.values()]
    vanilla, others = sum(is_vanilla), len(is_vanilla) - sum(is_vanilla)
    neutral = {name: getattr(Strategy(), name) for name in STRATEGY_NAMES}
    settings = {replace(c.configuration, model="", **neutral) for c in record.configurations.values()}
    if not vanilla or not others or len(settings) == 1:
        return None
    labels = {record.label(name) for name, of in zip(record.configurations, is_vanilla, strict=True) if not of}
    families = {record.family(name) for name, of in zip(record.configurations, is_vanilla, strict=True) if not of}
    models = {c.configuration.model for c in record.configurations.values() if c.configuration.strategy.is_vanilla}
    averages = others / len(labels), others / len(families)
    share = vanilla / len(models)
    is_ranged = len(labels) > others / 2
    return VanillaShare(vanilla, averages[is_ranged], share >= averages[is_ranged])


def claims_of(record: SweepRecord) -> list[Claim]:
    """A claim for each strategy, or for each family where there are more than 15, that is not vanilla and was not stopped
    early; Holm's correction is over all of them."""
    references = record.references()
    groups = by_strategy(record)
    if len(groups) > MAX_STRATEGIES:
        groups = by_family(record)
    found: list[tuple[Group, GroupResult, str]] = []
    for group in groups:
        best = record.best_of(dict.fromkeys(trial.configuration_id for trial in group.trials))
        reference = references.get(group.model)
        if best is not None and reference is not None and not group.is_vanilla and not record.is_censored(best.name):
            found.append((group, best, reference.name))
    samples = {best.name: (independent_scores(record, best.name), independent_scores(record, name)) for _, best, name in found}
    comparisons = compare_all(samples)
    return [Claim(group.label, best, name, comparisons[best.name]) for group, best, name in found]


def confirmation_of(record: SweepRecord) -> Confirmation | None:
    """None while no confirmation run of the winner has a result."""
    selection = record.selection
    scores = _confirmed_scores(record, selection.configuration) if selection else {}
    if selection is None or not scores:
        return None
    winner = record.group(selection.configuration, record.confirmations_of(selection.configuration))
    if selection.reference is None:
        return Confirmation(winner, None, None)
    reference = record.group(selection.reference, record.confirmations_of(selection.reference))
    of_reference = _confirmed_scores(record, selection.reference)
    return Confirmation(winner, reference, compare(scores, of_reference) if of_reference else None)


def shares_of_variance(record: SweepRecord, name: str) -> VarianceShares | None:
    """Of a configuration whose crossed seeds all have a result; None where seeds are not crossed, or some have none."""
    crossed, scores = record.header.crossed, record.seed_scores(record.trials_of(name)).get(name, {})
    if crossed is None or len(scores) < crossed[0] * crossed[1]:
        return None
    rows, columns = crossed
    return variance_shares([[scores[row * columns + column] for column in range(columns)] for row in range(rows)])


def independent_scores(record: SweepRecord, name: str) -> Mapping[int, float]:
    """A configuration's scores by seed, see `mean_over_orders`."""
    return mean_over_orders(record.seed_scores(record.trials_of(name)).get(name, {}), record.header.crossed)


def mean_over_orders(scores: Mapping[int, float], crossed: Sequence[int] | None) -> Mapping[int, float]:
    """Scores by seed; of crossed seeds the means over the data orders, by initialization, since those of one initialization
    are not independent."""
    if crossed is None:
        return scores
    by_initialization: dict[int, list[float]] = {}
    for seed, score in scores.items():
        by_initialization.setdefault(seed // crossed[1], []).append(score)
    return {number: math.fsum(of) / len(of) for number, of in by_initialization.items()}


def _confirmed_scores(record: SweepRecord, name: str) -> Mapping[int, float]:
    return record.seed_scores(record.confirmations_of(name)).get(name, {})

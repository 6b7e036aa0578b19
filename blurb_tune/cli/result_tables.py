"""The tables of a sweep's result in the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from blurb_tune.cli.terminal_table import Column, Columns
from blurb_tune.core.numbers import (
    compact,
    decimals_for,
    difference,
    interval,
    interval_of_difference,
    p_value,
    percents,
    plural,
    score,
    share,
)
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.claims import Claim, independent_scores
from blurb_tune.report.final_scores import FinalResult
from blurb_tune.report.hyperparameters import settings_in_words, varying_settings
from blurb_tune.report.trial_groups import Group, by_family, lacks_seeds
from blurb_tune.results.groups import GroupResult, why_no_result
from blurb_tune.stats.intervals import t_interval, wilson_interval

_INTERVAL = "95 %\ninterval"


def configuration_table(record: SweepRecord, groups: Sequence[Group], width: int) -> Columns:
    """A row for each configuration, in the given order, with the settings that tell it from others."""
    results = [group.result for group in groups]
    decimals = _decimals(results)
    columns = [
        Column("n", [str(result.n) for result in results]),
        Column("mean", [score(result.summary.mean, decimals) for result in results]),
        Column(_INTERVAL, [interval(_interval(record, result), decimals) for result in results], drop_order=2),
        Column("std", [score(result.summary.std, decimals) for result in results]),
        Column("min", [score(result.summary.min, decimals) for result in results], drop_order=5),
        Column("max", [score(result.summary.max, decimals) for result in results], drop_order=5),
        Column("failed", [share(result.failed, result.ended) for result in results]),
        Column(_INTERVAL, [_failed_interval(result) for result in results], drop_order=4),
        Column("objective", [score(result.objective, decimals) for result in results], drop_order=1),
        Column("vs\nvanilla", [difference(group.difference, decimals) for group in groups], drop_order=3),
    ]
    styles = ["dim" if lacks_seeds(record, result) else None for result in results]
    if results and why_no_result(results[0]) is None and styles[0] is None:
        styles[0] = "bold"
    return _with_names(record, groups, lambda first: Columns([*first, *columns], styles), width)


def stopped_table(record: SweepRecord, groups: Sequence[Group], width: int) -> Columns:
    """The configurations that were stopped before they were whole, with what they had."""
    results = [group.result for group in groups]
    decimals = _decimals(results)
    columns = [
        Column("n", [f"{result.n}/{record.header.replicates}" for result in results]),
        Column("mean", [score(result.summary.mean, decimals) for result in results]),
        Column("failed", [share(result.failed, result.ended) for result in results]),
        Column("stopped by", [_stopped_by(record, result) for result in results], is_text=True),
    ]
    return _with_names(record, groups, lambda first: Columns([*first, *columns]), width)


def family_table(record: SweepRecord) -> Columns | None:
    """All configurations of a family together; None where each is a single one, and the other tables say it all."""
    groups = by_family(record)
    sizes = [len({trial.configuration_id for trial in group.trials}) for group in groups]
    if max(sizes, default=0) < 2:
        return None
    results = [group.result for group in groups]
    decimals = _decimals(results)
    return Columns(
        [
            Column("family", [group.label for group in groups], is_text=True),
            Column("tried", [str(size) for size in sizes]),
            Column("n", [str(result.n) for result in results]),
            Column("mean", [score(result.summary.mean, decimals) for result in results]),
            Column("std within\nsettings", [score(result.summary.std, decimals) for result in results]),
            Column("failed", [share(result.failed, result.ended) for result in results]),
            Column(_INTERVAL, [_failed_interval(result) for result in results], drop_order=1),
            Column("best vs\nvanilla", [difference(group.difference, decimals) for group in groups], drop_order=2),
        ],
        ["dim" if not result.n else None for result in results],
    )


def claims_table(record: SweepRecord, claims: Sequence[Claim]) -> Columns:
    """Each strategy, by its best configuration, beside vanilla, and how sure the difference is."""
    comparisons = [claim.comparison for claim in claims]
    decimals = decimals_for((of.interval[1] - of.interval[0]) / 4 for of in comparisons)
    names = varying_settings(record)
    settings = [
        settings_in_words(record.configurations[claim.result.name].configuration, names) if names else "" for claim in claims
    ]
    columns = [
        Column("strategy", [claim.label for claim in claims], is_text=True),
        Column("best\nconfiguration", [claim.result.name for claim in claims], drop_order=4),
        *([Column("settings", settings, drop_order=2, is_text=True, narrowest=30)] if names else []),
        Column("n", [f"{of.n}:{of.n_reference}" for of in comparisons]),
        Column("mean\ndifference", [difference(of.difference, decimals) for of in comparisons]),
        Column(_INTERVAL, [interval_of_difference(of.interval, decimals) for of in comparisons]),
        Column("p", [p_value(of.p_holm) if of.is_decidable else "-" for of in comparisons]),
        Column("P(seed\nbetter)", [score(of.superiority.probability, 2) for of in comparisons], drop_order=1),
        Column(
            "seeds\nneeded", ["-" if of.seeds_needed is None else f"{of.seeds_needed:,}" for of in comparisons], drop_order=2
        ),
    ]
    return Columns(columns, ["bold" if of.is_significant else None for of in comparisons])


def test_table(results: Sequence[FinalResult]) -> Columns:
    """The winner and vanilla on the test split, beside what one run's score is worth with so few examples."""
    decimals = decimals_for((result.interval[1] - result.interval[0]) / 4 for result in results)
    return Columns(
        [
            Column("", [result.configuration for result in results]),
            Column("strategy", [result.label for result in results], is_text=True),
            Column("n", [str(result.summary.n) for result in results]),
            *(
                Column(name, [score(getattr(result.summary, name), decimals) for result in results], drop_order=order)
                for name, order in (("mean", 0), ("std", 0), ("min", 1), ("max", 1))
            ),
            Column("failed", [share(result.failed, result.summary.n) for result in results]),
            Column("interval\nof one run", [interval(result.interval, decimals) for result in results]),
        ]
    )


def _with_names(record: SweepRecord, groups: Sequence[Group], table: Callable[[list[Column]], Columns], width: int) -> Columns:
    """The table behind the columns that say which configuration it is: a column for each setting that differs, or all of
    them in the words of the strategy where so many have no room."""
    configurations = [record.configurations[group.result.name].configuration for group in groups]
    names = varying_settings(record)
    labels = [group.label for group in groups]
    ids = Column("", [group.result.name for group in groups])
    settings = [
        Column(name.replace("_", "\n"), [compact(getattr(configuration, name)) for configuration in configurations])
        for name in names
    ]
    apart = table([ids, Column("strategy", labels, is_text=True), *settings])
    if apart.fits(width) or not names:
        return apart
    said = [f"{label}, {settings_in_words(of, names)}" for label, of in zip(labels, configurations, strict=True)]
    return table([ids, Column("strategy", said, is_text=True)])


def _decimals(results: Sequence[GroupResult]) -> int:
    return decimals_for(result.summary.std / math.sqrt(result.n) for result in results if result.n > 1)


def _interval(record: SweepRecord, result: GroupResult) -> tuple[float, float]:
    return t_interval(list(independent_scores(record, result.name).values()))


def _failed_interval(result: GroupResult) -> str:
    return percents(wilson_interval(result.failed, result.ended)) if result.ended else "-"


def _stopped_by(record: SweepRecord, result: GroupResult) -> str:
    configuration = record.configurations[result.name]
    stopped = configuration.stopped
    why = "" if stopped is None else f"{stopped.rule}, after {plural(stopped.replicates, 'seed')}"
    return why + (", again" if configuration.reopened else "")


def notes_on_claims(record: SweepRecord, claims: Sequence[Claim]) -> Iterator[str]:
    """What one has to know to read `claims_table`."""
    yield "p: permutation test of the means, Holm's correction; seeds needed: of each, to tell them apart in 8 of 10 cases."
    undecided = [claim.comparison.first_decidable for claim in claims if not claim.comparison.is_decidable]
    if undecided and None not in undecided:
        yield f"Cannot decide before n = {max(filter(None, undecided))} seeds of each."
    if any(record.is_censored(claim.reference) for claim in claims):
        yield "Vanilla itself was stopped, and has few seeds to compare with: `confirm` runs it on fresh ones."

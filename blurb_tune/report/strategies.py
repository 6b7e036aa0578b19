"""The table of configurations beside vanilla: how good, how steady, how sure, at which cost, with every searched setting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from blurb_tune.core.numbers import compact
from blurb_tune.core.trial import STRATEGY_NAMES
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.blocks import Cell, Column, Group, Row, Table
from blurb_tune.report.claims import Claim, claims_of
from blurb_tune.report.hyperparameters import searched_hyperparameters, telling_settings, title_of
from blurb_tune.report.trial_groups import Group as Trials
from blurb_tune.report.trial_groups import by_configuration, rank
from blurb_tune.report.wording import (
    UNKNOWN,
    duration,
    interval,
    join_with_and,
    number,
    p_value,
    percent,
    signed,
    supported_decimals,
)
from blurb_tune.stats.intervals import Interval, t_difference, wilson_interval

_RESULT = (
    Column(
        "configuration",
        "",
        "the configuration's number, in the order in which they were suggested",
        is_number=False,
        is_key=True,
    ),
    Column("strategy", "strategy", "what is changed of plain fine-tuning", is_number=False),
)
_NUMBERS = (
    Column("n", "n", "seeds with a result, failed ones included"),
    Column("mean", "mean", "of the score over the seeds"),
    Column("std", "spread", "standard deviation over the seeds"),
    Column("min", "min", "the worst seed"),
    Column("max", "max", "the best seed"),
    Column("failed", "failed", "runs that ended no better than a constant prediction, of those that ended"),
    Column("failed_interval", "failed, 95 %", "share of failed runs to be expected (Wilson's interval)", is_interval=True),
    Column("difference", "vs vanilla", "mean minus that of the best vanilla configuration of the same model"),
    Column("difference_interval", "95 % interval", "of the difference (Welch's)", is_interval=True),
    Column("p", "p", "chance makes so large a difference so often; permutation test, Holm's correction over the strategies"),
    Column("p_better", "P(seed better)", "how often a seed of it beats one of vanilla (Brunner and Munzel)"),
    Column("seeds_needed", "seeds needed", "of each, to tell the two apart in 8 of 10 cases if they differ as measured"),
    Column("train_seconds", "training", "seconds of training and evaluation of one run, the median"),
)


def strategies_table(record: SweepRecord) -> Table:
    """A row per configuration that has all its seeds or may still get them: the best vanilla one, with which the others are
    compared, then by the winner's rule; grouped by model where there are several."""
    groups = [group for group in by_configuration(record) if not record.is_censored(group.result.name)]
    references = {reference.name for reference in record.references().values()}
    groups.sort(key=lambda group: (group.result.name not in references, rank(record, group.result)))
    tuned, parts = _searched_names(record)
    claims = {claim.result.name: claim for claim in claims_of(record)}
    decimals = supported_decimals(group.result.summary for group in groups)
    best = record.selection.configuration if record.selection else getattr(record.best_configuration(), "name", "")
    models = record.header.models if record.has_models else [""]
    intervals = _intervals(record, groups)
    rows = {
        group.result.name: _row(
            record, group, tuned, parts, claims.get(group.result.name), intervals[group.result.name], decimals, best
        )
        for group in groups
    }
    return Table(
        name="strategies",
        caption=f"{record.header.metric} on the dev split by the seeds of the search, each configuration beside vanilla",
        columns=(*_RESULT, *(_column_of(name) for name in tuned), *_NUMBERS, *(_column_of(name) for name in parts)),
        groups=[
            Group(model, [rows[g.result.name] for g in groups if not model or g.model == model])
            for model in models
            if not model or any(g.model == model for g in groups)
        ],
        notes=list(_notes(record, list(claims.values()))),
        on_paper=(
            *("configuration", "strategy", *tuned, "n", "mean", "std", "min", "max", "failed"),
            *("difference", "difference_interval", "p", "seeds_needed"),
        ),
    )


def stopped_table(record: SweepRecord) -> Table | None:
    """The configurations that were stopped before their last seed: what they had is compared with nothing."""
    groups = [group for group in by_configuration(record) if record.is_censored(group.result.name)]
    if not groups:
        return None
    tuned, parts = _searched_names(record)
    decimals = supported_decimals(group.result.summary for group in groups)
    rows = []
    for group in sorted(groups, key=lambda group: rank(record, group.result)):
        result, of = group.result, record.configurations[group.result.name]
        stopped = of.stopped
        cells = [
            Cell(result.name, result.name),
            Cell(group.label, group.label),
            *_settings(record, result.name, tuned),
            Cell(f"{result.n} of {record.header.replicates}", result.n),
            Cell.of(number(result.summary.mean, decimals), result.summary.mean),
            Cell.of(f"{result.failed} of {result.ended}", result.failed_share),
            Cell(stopped.rule if stopped else UNKNOWN, stopped.rule if stopped else None),
            Cell(stopped.reason if stopped else UNKNOWN, stopped.reason if stopped else None),
            *_settings(record, result.name, parts),
        ]
        rows.append(Row(cells, configuration=result.name, is_muted=True))
    columns = (
        *_RESULT,
        *(_column_of(name) for name in tuned),
        Column("n", "n", "seeds that had a result, of those planned"),
        Column("mean", "mean", "of these seeds, which are too few and were chosen by the stop: compare it with nothing"),
        Column("failed", "failed", "runs, of those that ended"),
        Column("rule", "stopped by", "the rule", is_number=False),
        Column("reason", "reason", "what the rule saw", is_number=False),
        *(_column_of(name) for name in parts),
    )
    return Table(
        "stopped",
        "Stopped before their last seed, so neither ranked nor compared",
        columns,
        [Group("", rows)],
    )


def _row(
    record: SweepRecord,
    group: Trials,
    tuned: Sequence[str],
    parts: Sequence[str],
    claim: Claim | None,
    bounds: Interval,
    decimals: int,
    best: str,
) -> Row:
    result, summary = group.result, group.result.summary
    low, high = wilson_interval(result.failed, result.ended)
    comparison = claim.comparison if claim else None
    bounds = comparison.interval if comparison else bounds
    p = comparison.p_holm if comparison and comparison.is_decidable else math.nan
    needed = comparison.seeds_needed if comparison else None
    better = comparison.superiority.probability if comparison else math.nan
    seconds = sorted(trial.train_seconds for trial in group.trials if trial.is_final and trial.measurements)
    cost = seconds[len(seconds) // 2] if seconds else math.nan
    strategy = record.configurations[result.name].configuration.strategy.label
    cells = [
        Cell(result.name, result.name),
        Cell(strategy, strategy),
        *_settings(record, result.name, tuned),
        Cell(str(result.n), result.n),
        *(Cell.of(number(value, decimals), value) for value in (summary.mean, summary.std, summary.min, summary.max)),
        Cell.of(f"{result.failed} of {result.ended}" if result.ended else UNKNOWN, result.failed_share),
        Cell.of(f"{percent(low)[:-2]} to {percent(high)}" if result.ended else UNKNOWN, (low, high)),
        Cell.of(signed(group.difference, decimals), group.difference),
        Cell.of(interval(bounds, decimals), bounds),
        Cell.of(p_value(p), p),
        Cell.of(number(better, 2), better),
        Cell.of(f"{needed:,}" if needed else UNKNOWN, needed),
        Cell.of(duration(cost), cost),
        *_settings(record, result.name, parts),
    ]
    return Row(cells, result.name, is_best=result.name == best, is_muted=result.n < record.header.replicates)


def _intervals(record: SweepRecord, groups: Sequence[Trials]) -> dict[str, Interval]:
    """Of the difference of each to the best vanilla configuration of its model; crossed seeds are no sample."""
    references = record.references()
    scores = record.seed_scores(trial for trial in record.trials.values() if not record.is_confirmation(trial))
    found = {}
    for group in groups:
        name, reference = group.result.name, references.get(group.model)
        is_compared = reference is not None and reference.name != name and record.header.crossed is None
        other = list(scores.get(reference.name, {}).values()) if reference is not None else []
        own = list(scores.get(name, {}).values())
        found[name] = t_difference(own, other) if is_compared else (math.nan, math.nan)
    return found


def _searched_names(record: SweepRecord) -> tuple[list[str], list[str]]:
    """The searched hyperparameters: those that the strategy's name does not tell, and its parts."""
    names = [name for name in searched_hyperparameters(record) if name != "model"]
    return [name for name in names if name not in STRATEGY_NAMES], [name for name in names if name in STRATEGY_NAMES]


def _column_of(name: str) -> Column:
    return Column(name, title_of(name), f"`space.{name}` of the spec")


def _settings(record: SweepRecord, configuration_id: str, names: Sequence[str]) -> Iterator[Cell]:
    values = record.configurations[configuration_id].configuration.values()
    return (Cell(compact(values[name]), values[name]) for name in names)


def _notes(record: SweepRecord, claims: Sequence[Claim]) -> Iterator[str]:
    searched = {*searched_hyperparameters(record), *STRATEGY_NAMES}
    first = [of.configuration for of in record.configurations.values()][:1]
    fixed = {name: value for of in first for name, value in telling_settings(of).items() if name not in searched}
    if fixed:
        settings = join_with_and([f"{title_of(name)} {compact(value)}" for name, value in fixed.items()], 12)
        yield f"The same in all: {settings}; what is not named here is at its default."
    if record.header.folds:
        yield f"A seed's score is the mean of its {record.header.folds} folds."
    if record.references():
        yield (
            "p, P(seed better) and seeds needed are given for the best configuration of each strategy (of each family where "
            "there are many strategies): it alone is compared."
        )
    else:
        has_vanilla = any(of.configuration.strategy.is_vanilla for of in record.configurations.values())
        yield "Vanilla has no result yet." if has_vanilla else "There is no vanilla in this sweep to compare with."
    undecided = [claim.comparison.first_decidable for claim in claims if not claim.comparison.is_decidable]
    if undecided and None not in undecided:
        yield f"Where p is a dash, the test cannot decide before n = {max(filter(None, undecided))} seeds of each."

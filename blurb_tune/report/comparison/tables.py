"""The tables of a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import groupby

from blurb_tune.report.blocks import Cell, Column, Group, Row, Table
from blurb_tune.report.comparison.pools import Setting
from blurb_tune.report.comparison.sweep_comparison import Row as Strategy
from blurb_tune.report.comparison.sweep_comparison import SweepComparison
from blurb_tune.report.comparison.text import cell, column_of, decimals_of, place_of, row_name, verdict
from blurb_tune.report.wording import UNKNOWN, interval, number, p_value, percent, signed, supported_decimals
from blurb_tune.results.groups import GroupResult
from blurb_tune.stats.comparison import ALPHA, Comparison
from blurb_tune.stats.intervals import wilson_interval

_FAILED = Column("failed", "failed", "runs that ended no better than a constant prediction, of those that ended")
_FAILED_INTERVAL = Column(
    "failed_interval", "failed, 95 %", "share of failed runs to be expected (Wilson's interval)", is_interval=True
)
_DIFFERENCE = Column("difference", "vs vanilla", "mean minus that of vanilla")
_INTERVAL = Column("difference_interval", "95 % interval", "of the difference (Welch's)", is_interval=True)
_MEAN, _STD = (
    Column("mean", "mean", "of the score over the seeds"),
    Column("std", "spread", "standard deviation over the seeds"),
)


def sweeps_table(comparison: SweepComparison) -> Table:
    rows = []
    for sweep in comparison.sweeps:
        record = sweep.record
        header, selection = record.header, record.selection
        seeds = f"{len(header.seeds)}" + (f" + {len(header.confirmation_seeds)}" if header.confirmation_seeds else "")
        models = ", ".join(dict.fromkeys(c.configuration.model for c in record.configurations.values()))
        winner = "no result" if record.no_result else UNKNOWN
        if selection is not None:
            winner = f"{selection.configuration} {record.label(selection.configuration)}"
        texts = (sweep.label, header.task, models, record.status, winner)
        count = len(record.configurations)
        rows.append(Row([*(Cell.of(t, t) for t in texts), Cell(str(count), count), Cell(seeds, len(header.seeds))]))
    columns = (
        Column("sweep", "sweep", "its name", is_number=False, is_key=True),
        Column("task", "task", is_number=False),
        Column("model", "model", is_number=False),
        Column("status", "status", is_number=False),
        Column("winner", "winner", "as chosen on dev", is_number=False),
        Column("configurations", "configurations", "that were tried"),
        Column("seeds", "seeds", "of each configuration, and of winner and vanilla for confirmation"),
    )
    return Table("sweeps", "The sweeps", columns, [Group("", rows)])


def matrix_table(comparison: SweepComparison) -> Table | None:
    """Models and strategies down, tasks across; None while no trial has ended."""
    if not comparison.rows:
        return None
    decimals = decimals_of(comparison)
    columns = tuple(dict.fromkeys(column_of(row) for row in comparison.rows))
    found = {(row.pool.model, row.label, column_of(row)): row for row in comparison.rows}
    groups = []
    for model in comparison.models:
        rows = []
        for label in comparison.labels:
            cells = [_matrix_cell(found.get((model, label, column)), decimals) for column in columns]
            rows += [Row([Cell(label, label), *cells])] if any(of.text for of in cells) else []
        groups.append(Group(model, rows))
    kind = "family" if comparison.by_family else "strategy"
    notes = (
        "Mean (spread) of the best configuration of each row over the seeds of the search. It was picked as the best, so its "
        "mean is rather too high.",
        f"+ and −: better or worse than vanilla of the same model and task at {ALPHA:g}, with Holm's correction over all "
        "claims of the comparison.",
    )
    heads = [Column(f"column_{index}", name) for index, name in enumerate(columns)]
    first = Column("strategy", kind, is_number=False, is_key=True)
    return Table("matrix", "Scores on the dev split by model, strategy and task", (first, *heads), groups, notes)


def _matrix_cell(row: Strategy | None, decimals: Mapping[Setting, int]) -> Cell:
    if row is None:
        return Cell("")
    value = None if row.entry.is_censored else row.entry.result.summary.mean
    return Cell(cell(row, decimals[row.pool.setting]), value)


def claims_table(comparison: SweepComparison) -> Table | None:
    """Each strategy beside vanilla; None where there is nothing to compare."""
    if not comparison.claims:
        return None
    groups = [Group(place, [_claim(row) for row in rows]) for place, rows in groupby(comparison.claims, key=place_of)]
    columns = (
        Column("strategy", "strategy", "the best configuration of each, as chosen on dev", is_number=False, is_key=True),
        Column("n", "n", "seeds of it and of vanilla"),
        *(_DIFFERENCE, _INTERVAL),
        Column("p", "p", "chance makes so large a difference so often; permutation test, Holm's correction over all claims"),
        Column("p_better", "P(seed better)", "how often a seed of it beats one of vanilla (Brunner and Munzel)"),
        *(_FAILED, _FAILED_INTERVAL),
        Column("seeds_needed", "seeds needed", "of each, to tell the two apart in 8 of 10 cases if they differ as measured"),
    )
    count = len(comparison.claims)
    notes = [
        "By the seeds of the search, against the best vanilla configuration of the same task, model and sweeps. p: "
        f"permutation test of the means, with Holm's correction over all {count} claims."
    ]
    if comparison.first_decidable is not None:
        notes.append(f"Where p is a dash, {count} claims at once cannot be decided before n = {comparison.first_decidable}.")
    if any(row.reference is not None and row.reference.is_censored for row in comparison.claims):
        notes.append("*: vanilla itself was stopped, so it has few seeds to compare with, and its mean may be too low.")
    return Table("claims", "Each strategy beside vanilla, on the dev split", columns, groups, notes)


def _claim(row: Strategy) -> Row:
    found, reference = row.comparison, row.reference
    if found is None or reference is None:
        raise ValueError("only a row with a comparison is a claim")
    decimals = supported_decimals([row.entry.result.summary, reference.result.summary])
    n = f"{found.n}:{found.n_reference}" + ("*" if reference.is_censored else "")
    needed = found.seeds_needed
    name = row_name(row)
    cells = [
        *(Cell(name, name), Cell(n, found.n)),
        *_comparison_cells(found, decimals),
        Cell.of(number(found.superiority.probability, 2), found.superiority.probability),
        *_failures(row.entry.result),
        Cell.of(f"{needed:,}" if needed else UNKNOWN, needed),
    ]
    return Row(cells, is_best=verdict(row) == "better")


def confirmed_table(comparison: SweepComparison) -> Table | None:
    """Winners on fresh seeds; None where no sweep has any."""
    rows = []
    for of in comparison.confirmations:
        header, winner, reference, found = of.sweep.record.header, of.winner, of.reference, of.comparison
        decimals = supported_decimals([winner.summary, *([reference.summary] if reference else [])])
        texts = (of.sweep.label, f"{header.task} ({header.metric})", f"{winner.name} {of.label}")
        mean = reference.summary.mean if reference else math.nan
        compared = _comparison_cells(found, decimals) if found else [Cell(UNKNOWN)] * 3
        cells = [
            *(Cell(text, text) for text in texts),
            *(Cell(str(winner.n), winner.n), *_mean_and_std(winner, decimals), *_failures(winner)),
            *(Cell.of(number(mean, decimals), mean), *compared),
        ]
        rows.append(Row(cells, is_best=verdict(of) == "better"))
    columns = (
        Column("sweep", "sweep", is_number=False, is_key=True),
        Column("task", "task", is_number=False),
        Column("winner", "winner", "as chosen by the seeds of the search", is_number=False),
        *(Column("n", "n", "fresh seeds"), _MEAN, _STD, _FAILED, _FAILED_INTERVAL),
        Column("vanilla", "vanilla", "its mean over the same fresh seeds"),
        *(_DIFFERENCE, _INTERVAL),
        Column("p", "p", "permutation test, Holm's correction over the sweeps"),
    )
    notes = ("By seeds that no decision has seen, so that nothing was picked by them. p: Holm's correction over the sweeps.",)
    return Table("confirmed", "Confirmed on fresh seeds, dev split", columns, [Group("", rows)], notes) if rows else None


def test_table(comparison: SweepComparison) -> Table | None:
    """Winners and vanilla on test; None where no sweep has read it."""
    rows = []
    for of in comparison.finals:
        header = of.sweep.record.header
        for result in of.results:
            decimals, summary = supported_decimals([result.summary]), result.summary
            texts = (of.sweep.label, f"{header.task} ({header.metric})", f"{result.configuration} {result.label}")
            numbers = (summary.mean, summary.std, summary.min, summary.max)
            low, high = result.interval
            within = UNKNOWN if math.isnan(low) else f"{number(low, decimals)} to {number(high, decimals)}"
            cells = [
                *(Cell(text, text) for text in texts),
                Cell(str(summary.n), summary.n),
                *(Cell.of(number(value, decimals), value) for value in numbers),
                Cell(f"{result.failed} of {summary.n}", result.failed),
                *(Cell(str(result.examples), result.examples), Cell.of(within, (low, high))),
            ]
            rows.append(Row(cells))
    columns = (
        Column("sweep", "sweep", is_number=False, is_key=True),
        Column("task", "task", is_number=False),
        Column("configuration", "configuration", "the winner, then vanilla", is_number=False),
        *(Column("n", "n", "runs"), _MEAN, _STD, Column("min", "min", "the worst run"), Column("max", "max", "the best run")),
        *(Column("failed", "failed", "runs that failed on dev"), Column("examples", "examples", "of the test split")),
        Column("interval", "interval of one run", "95 %, from the size of the test set", is_interval=True),
    )
    notes = ("Read once in each sweep, after the winner had been chosen on dev.",)
    return Table("test", "The test split", columns, [Group("", rows)], notes) if rows else None


def benchmark_table(comparison: SweepComparison) -> Table | None:
    """The BLURB score of each model and recipe that has all data sets; None without any."""
    complete = [of for of in comparison.benchmark if of.is_complete]
    if not complete:
        return None
    rows = [
        Row(
            [
                *(Cell(text, text) for text in (of.model, of.recipe, of.split)),
                *(Cell(f"{mean:.2f}", mean) for mean in (*of.score.means.values(), of.score.total)),
            ]
        )
        for of in complete
    ]
    columns = (
        Column("model", "model", is_number=False, is_key=True),
        Column("recipe", "recipe", "a strategy; or the winner of each data set, as chosen on dev", is_number=False),
        Column("split", "split", "the benchmark's own score is of test", is_number=False),
        *(Column(name.casefold(), name, "mean over its data sets") for name in complete[0].score.means),
        Column("blurb", "BLURB", "mean of these means"),
    )
    return Table("blurb", "BLURB score, in percent; each row says its split", columns, [Group("", rows)])


def stopped_table(comparison: SweepComparison) -> Table | None:
    """Configurations that were stopped in every sweep that ran them; None without any."""
    groups = [Group(place, [_stopped_row(row) for row in rows]) for place, rows in groupby(comparison.stopped, key=place_of)]
    columns = (
        Column("strategy", "strategy", is_number=False, is_key=True),
        Column("rule", "stopped by", "the rule, and after how many seeds", is_number=False),
        Column("n", "n", "seeds that had a result, of those planned"),
        Column("mean", "mean", "of these seeds, which are too few and were chosen by the stop: compare it with nothing"),
        _FAILED,
    )
    title = "Stopped before their last seed, so neither ranked nor compared; dev split"
    return Table("stopped", title, columns, groups) if groups else None


def _stopped_row(row: Strategy) -> Row:
    entry, why = row.entry, []
    for sweep in row.pool.sweeps:
        stopped = sweep.record.configurations[entry.ids[sweep.label]].stopped if sweep.label in entry.ids else None
        why += [f"{stopped.rule} after {stopped.replicates}"] if stopped else []
    result, name, rule = entry.result, row_name(row), ", ".join(why)
    mean = number(result.summary.mean, supported_decimals([result.summary]))
    cells = [
        *(Cell(name, name), Cell(rule, rule), Cell(f"{result.n} of {entry.planned}", result.n)),
        *(Cell.of(mean, result.summary.mean), _failures(result)[0]),
    ]
    return Row(cells, is_muted=True)


def _mean_and_std(result: GroupResult, decimals: int) -> list[Cell]:
    return [Cell.of(number(value, decimals), value) for value in (result.summary.mean, result.summary.std)]


def _failures(result: GroupResult) -> list[Cell]:
    if not result.ended:
        return [Cell(UNKNOWN), Cell(UNKNOWN)]
    low, high = wilson_interval(result.failed, result.ended)
    share = Cell(f"{result.failed} of {result.ended}", result.failed_share)
    return [share, Cell(f"{percent(low)[:-2]} to {percent(high)}", (low, high))]


def _comparison_cells(found: Comparison, decimals: int) -> list[Cell]:
    p = found.p_holm if found.is_decidable else math.nan
    return [
        Cell.of(signed(found.difference, decimals), found.difference),
        Cell.of(interval(found.interval, decimals), found.interval),
        Cell.of(p_value(p), p),
    ]

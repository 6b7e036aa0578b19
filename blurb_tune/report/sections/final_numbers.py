"""The numbers to quote: winner and vanilla on fresh seeds, and on the test split."""

from __future__ import annotations

import math
from collections.abc import Sequence

from blurb_tune.core.numbers import plural
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.blocks import Cell, Column, Group, Row, Table
from blurb_tune.report.claims import confirmation_of
from blurb_tune.report.final_scores import FinalResult, final_results
from blurb_tune.report.wording import interval, number, p_value, recipe, supported_decimals
from blurb_tune.results.groups import GroupResult
from blurb_tune.stats.stability import ScoreSummary

_COLUMNS = (
    Column("configuration", "", "the configuration's number", is_number=False, is_key=True),
    Column("recipe", "recipe", "strategy and searched settings", is_number=False),
    Column("n", "n", "runs with a score"),
    Column("mean", "mean"),
    Column("std", "spread", "standard deviation over the seeds"),
    Column("min", "min"),
    Column("max", "max"),
    Column("failed", "failed", "runs that failed on dev"),
)


def confirmation_table(record: SweepRecord) -> Table | None:
    """Winner and vanilla on seeds that no decision has seen; None where none has run."""
    found = confirmation_of(record)
    if found is None:
        return None
    sides: list[GroupResult] = [side for side in (found.winner, found.reference) if side is not None]
    decimals = supported_decimals(side.summary for side in sides)
    rows = [
        Row(
            [*_start(record, side.name, side.summary, decimals), Cell(f"{side.failed} of {side.ended}", side.failed)],
            side.name,
        )
        for side in sides
    ]
    notes = []
    if found.comparison is not None:
        of = found.comparison
        said = f"Difference {interval(of.interval, decimals)} with 95 % confidence"
        notes.append(
            f"{said}, p = {p_value(of.p)}." if of.is_decidable else f"{said}; cannot decide before n = {of.first_decidable}."
        )
    return Table(
        "confirmation",
        f"{record.header.metric} on the dev split by {plural(len(record.header.confirmation_seeds), 'fresh seed')} of each, "
        "which no decision has seen",
        _COLUMNS,
        [Group("", rows)],
        notes,
    )


def test_table(record: SweepRecord) -> Table | None:
    """Winner and vanilla on the test split, with what one run's score is worth by so few items; None where it is closed."""
    results = final_results(record)
    if not results:
        return None
    decimals = supported_decimals(result.summary for result in results)
    columns = (
        *_COLUMNS,
        Column(
            "interval_of_one_run",
            "interval of one run, 95 %",
            "from the size of the test set alone, the mean over the runs",
            is_interval=True,
        ),
    )
    by = "confirmation runs" if record.header.confirmation_seeds else "runs of the search"
    return Table(
        "test",
        f"{record.header.metric} on the test split, {plural(results[0].examples, 'item')}, read once, by the {by}",
        columns,
        [Group("", [_test_row(record, result, decimals) for result in results])],
        list(_gaps(results)),
    )


def _test_row(record: SweepRecord, result: FinalResult, decimals: int) -> Row:
    low, high = result.interval
    said = "–" if math.isnan(low) else f"{number(low, decimals)} to {number(high, decimals)}"
    cells = [
        *_start(record, result.configuration, result.summary, decimals),
        Cell(f"{result.failed} of {result.summary.n}", result.failed),
        Cell.of(said, result.interval),
    ]
    return Row(cells, result.configuration)


def _start(record: SweepRecord, name: str, summary: ScoreSummary, decimals: int) -> list[Cell]:
    what = recipe(record, name)
    numbers = (summary.mean, summary.std, summary.min, summary.max)
    return [
        Cell(name, name),
        Cell(what, what),
        Cell(str(summary.n), summary.n),
        *(Cell.of(number(value, decimals), value) for value in numbers),
    ]


def _gaps(results: Sequence[FinalResult]) -> list[str]:
    again, missing = sum(r.trained_again for r in results), sum(r.missing for r in results)
    return [
        *(
            [f"The weights of {plural(again, 'run')} were gone; trained once more, to where the run had ended."]
            if again
            else []
        ),
        *([f"{plural(missing, 'run')} could not be tested."] if missing else []),
    ]

"""Several runs as one model, beside the best of them alone: what that gains, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from blurb_tune.core.combination import Method
from blurb_tune.core.numbers import plural
from blurb_tune.log.events import CombinationTested
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.blocks import Cell, Column, Group, Row, Table
from blurb_tune.report.wording import UNKNOWN, interval, number, signed

_DECIMALS = 3
_COLUMNS = (
    Column("model", "model", "", is_number=False, is_key=True),
    Column("members", "runs", "how many it is made of"),
    Column("size", "MB", "of weights on disk"),
    Column("seconds", "ms per example", "of inference, by the machine that tested it"),
    Column("dev", "dev", "by which its runs were chosen"),
    Column("test", "test"),
    Column("interval", "95 %", "from the size of the test set", is_interval=True),
    Column("difference", "vs best single run", "on the test split"),
    Column("difference_interval", "95 %, paired", "bootstrap over the examples of the test split", is_interval=True),
)


def combinations_table(record: SweepRecord) -> Table | None:
    """Soups and ensemble of the winner beside its best single run; None where none has been made."""
    found = [record.combinations[method] for method in Method if method in record.combinations]
    if not found:
        return None
    examples = max(of.examples for of in found)
    where = f"the test split, {plural(examples, 'item')}, read once when all were chosen" if examples else "dev"
    return Table(
        "combinations",
        f"Several runs of the winning strategy as one model, beside the best on dev alone: {record.header.metric} on {where}",
        _COLUMNS,
        [Group("", [_row(of) for of in found])],
        [
            "A soup is the mean of the weights of runs that share their initialization, an ensemble the mean of outputs. Runs "
            "that failed are not among them. The scores on dev are those of the choice, and too good."
        ],
    )


def _row(of: CombinationTested) -> Row:
    is_single = of.method == Method.SINGLE
    return Row(
        [
            Cell(f"{of.method} ({of.members[0]})" if is_single else of.method, of.method),
            Cell(str(len(of.members)), len(of.members)),
            Cell(f"{of.size / 1e6:,.1f}", of.size / 1e6),
            Cell.of(number(1000 * of.seconds, 1), 1000 * of.seconds),
            Cell.of(number(of.dev_score, _DECIMALS), of.dev_score),
            Cell.of(number(of.score, _DECIMALS), of.score),
            _bounds(of.interval, is_difference=False),
            Cell.of(UNKNOWN if is_single else signed(of.difference, _DECIMALS), of.difference),
            _bounds([] if is_single else of.difference_interval, is_difference=True),
        ]
    )


def _bounds(bounds: Sequence[float], *, is_difference: bool) -> Cell:
    if not bounds or math.isnan(bounds[0]) or math.isnan(bounds[1]):
        return Cell(UNKNOWN)
    low, high = bounds
    said = interval((low, high), _DECIMALS) if is_difference else f"{number(low, _DECIMALS)} to {number(high, _DECIMALS)}"
    return Cell(said, (low, high))

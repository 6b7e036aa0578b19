"""How the numbers of a comparison are written, in every format."""

from __future__ import annotations

import math
from dataclasses import fields

from blurb_tune.core.trial import STRATEGY_NAMES, Configuration
from blurb_tune.report.comparison.comparison import Row, SweepComparison
from blurb_tune.report.comparison.pools import Pool
from blurb_tune.results.groups import GroupResult
from blurb_tune.stats.comparison import Comparison
from blurb_tune.stats.stability import wilson_interval

_SHORT = {"learning_rate": "lr", "batch_size": "batch", "warmup_share": "warmup", "max_grad_norm": "clipping"}


def heading(comparison: SweepComparison) -> str:
    """Such as `2 sweeps: 2 tasks, 1 model, 9 strategies`."""
    counts = {
        "task": len({setting.task for setting in comparison.settings}),
        "model": len(comparison.models),
        "family" if comparison.by_family else "strategy": len(comparison.labels),
    }
    return f"{len(comparison.sweeps)} sweeps: {', '.join(f'{n} {_plural(noun, n)}' for noun, n in counts.items())}"


def score(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.3f}"


def signed(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:+.3f}"


def span(interval: tuple[float, float]) -> str:
    """Of differences, such as `-0.020 to +0.310`."""
    return "-" if math.isnan(interval[0]) else f"{interval[0]:+.3f} to {interval[1]:+.3f}"


def failures(result: GroupResult) -> str:
    """Such as `3/10 (11-60 %)`, with Wilson's interval at 95 %."""
    low, high = wilson_interval(result.failed, result.ended)
    return f"{result.failed}/{result.ended} ({100 * low:.0f}-{100 * high:.0f} %)" if result.ended else "-"


def p_value(comparison: Comparison) -> str:
    """After Holm's correction; with how many seeds it can be told where these are too few."""
    if not comparison.is_decidable:
        return "-" if comparison.first_decidable is None else f"n < {comparison.first_decidable}"
    return f"{comparison.p_holm:.2g}"


def verdict(row: Row) -> str:
    """`better` or `worse` than vanilla where that is significant, else empty."""
    if row.comparison is None or not row.comparison.is_significant:
        return ""
    return "better" if row.comparison.difference > 0 else "worse"


def cell(row: Row) -> str:
    """Lines of a cell of the matrix: `0.548 (0.056) +`, and what else one has to know of it."""
    result = row.entry.result
    if row.entry.is_censored:
        return f"stopped after {result.n}"
    if not result.n:
        return "errored" if result.errored else "-"
    first = [score(result.spread.mean), f"({score(result.spread.std)})"]
    first += {"better": ["+"], "worse": ["-"]}.get(verdict(row), [])
    more = [f"{result.failed}/{result.ended} failed"] if result.failed else []
    more += [f"{result.n} of {row.entry.planned} seeds"] if row.entry.lacks_seeds else []
    return "\n".join([" ".join(first), *more])


def column_of(row: Row) -> str:
    """The column of the matrix: the setting, and the pool where the sweeps of a setting cannot be pooled."""
    return row.pool.setting.label if row.pool.is_alone else f"{row.pool.setting.label}, {row.pool.label}"


def named(row: Row) -> str:
    """The strategy, the configuration's id, and what was searched besides, such as `reinit 1 (c003, lr 5e-05)`."""
    entry = row.entry
    strategy = entry.configuration.strategy.label
    return f"{strategy} ({', '.join([*dict.fromkeys(entry.ids.values()), *searched(entry.configuration, row.pool)])})"


def searched(configuration: Configuration, pool: Pool) -> list[str]:
    """Its hyperparameters, besides model and strategy, that have more than one value in the pool."""
    names = [field.name for field in fields(Configuration) if field.name not in ("model", *STRATEGY_NAMES)]
    found = [name for name in names if len({getattr(entry.configuration, name) for entry in pool.entries}) > 1]
    return [f"{_SHORT.get(name, name.replace('_', ' '))} {_value(getattr(configuration, name))}" for name in found]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _plural(noun: str, count: int) -> str:
    if count == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"

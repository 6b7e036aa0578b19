"""How the rows of a comparison are named, and what stands in a cell of its matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from blurb_tune.core.numbers import compact, plural
from blurb_tune.core.trial import STRATEGY_NAMES, Configuration
from blurb_tune.report.comparison.fresh import Confirmed
from blurb_tune.report.comparison.pools import Pool, Setting
from blurb_tune.report.comparison.sweep_comparison import Row, SweepComparison
from blurb_tune.report.hyperparameters import title_of
from blurb_tune.report.wording import UNKNOWN, number, supported_decimals


def heading(comparison: SweepComparison) -> str:
    """Such as `2 sweeps, 2 tasks, 1 model, 9 strategies`."""
    strategies = len(comparison.labels)
    kind = ("family" if strategies == 1 else "families") if comparison.by_family else None
    parts = [
        plural(len(comparison.sweeps), "sweep"),
        plural(len({of.task for of in comparison.settings}), "task"),
        plural(len(comparison.models), "model"),
        f"{strategies} {kind or ('strategy' if strategies == 1 else 'strategies')}",
    ]
    return ", ".join(parts)


def decimals_of(comparison: SweepComparison) -> Mapping[Setting, int]:
    """Decimals to which the scores of each setting mean something."""
    return {
        of: supported_decimals(row.entry.result.summary for row in comparison.rows if row.pool.setting == of)
        for of in comparison.settings
    }


def verdict(of: Row | Confirmed) -> str:
    """`better` or `worse` than vanilla where that is significant, else empty."""
    if of.comparison is None or not of.comparison.is_significant:
        return ""
    return "better" if of.comparison.difference > 0 else "worse"


def cell(row: Row, decimals: int) -> str:
    """Lines of a cell of the matrix: `0.548 (0.056) +`, and what else one has to know of it."""
    result, entry = row.entry.result, row.entry
    if entry.is_censored:
        return f"stopped after {result.n}"
    if not result.n:
        return "errored" if result.errored else UNKNOWN
    mark = {"better": " +", "worse": " −"}.get(verdict(row), "")
    more = [f"{result.failed} of {result.ended} failed"] if result.failed else []
    more += [f"{result.n} of {entry.planned} seeds"] if entry.lacks_seeds else []
    first = f"{number(result.summary.mean, decimals)} ({number(result.summary.std, decimals)}){mark}"
    return "\n".join([first, *more])


def column_of(row: Row) -> str:
    """The column of the matrix: the setting, and the pool where the sweeps of a setting cannot be pooled."""
    return row.pool.setting.label if row.pool.is_alone else f"{row.pool.setting.label}, {row.pool.label}"


def place_of(row: Row) -> str:
    """Task, model and sweeps, such as `biosses (pearson), minilm, in first + second`."""
    return f"{row.pool.setting.label}, {row.pool.model}, in {row.pool.label}"


def row_name(row: Row) -> str:
    """The strategy, the configuration's id, and what was searched besides, such as `reinit 1 (c003, learning rate 5e-5)`."""
    entry = row.entry
    parts = [*dict.fromkeys(entry.ids.values()), *_searched_settings(entry.configuration, row.pool)]
    return f"{entry.configuration.strategy.label} ({', '.join(parts)})"


def _searched_settings(configuration: Configuration, pool: Pool) -> list[str]:
    """Its hyperparameters, besides model and strategy, that have more than one value in the pool."""
    names = [field.name for field in fields(Configuration) if field.name not in ("model", *STRATEGY_NAMES)]
    found = [name for name in names if len({getattr(entry.configuration, name) for entry in pool.entries}) > 1]
    return [f"{title_of(name)} {compact(getattr(configuration, name))}" for name in found]

"""How numbers, settings and shares are written for people: with no more digits than the spread supports."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from blurb_tune.core import numbers
from blurb_tune.core.trial import STRATEGY_NAMES, Configuration
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.hyperparameters import searched_hyperparameters, title_of
from blurb_tune.stats.stability import ScoreSummary

UNKNOWN = "–"
_FEWEST_DECIMALS, _MOST_DECIMALS = 2, 5


def supported_decimals(summaries: Iterable[ScoreSummary]) -> int:
    """Decimals to which scores of these summaries mean something: the place of the first digit of the median standard error of
    their means, at least 2 and at most 5; 3 where no standard error is known."""
    errors = sorted(s.std / math.sqrt(s.n) for s in summaries if s.n and s.std > 0)
    if not errors:
        return _FEWEST_DECIMALS + 1
    return min(max(-math.floor(math.log10(errors[len(errors) // 2])), _FEWEST_DECIMALS), _MOST_DECIMALS)


def number(value: float, decimals: int) -> str:
    """With a true minus sign; a dash where it is undefined."""
    if not math.isfinite(value):
        return UNKNOWN
    text = f"{value:.{decimals}f}"
    return _with_minus(text if float(text) else text.removeprefix("-"))


def signed(value: float, decimals: int) -> str:
    """The same with a plus sign where it is positive, as differences have it."""
    text = number(value, decimals)
    return f"+{text}" if math.isfinite(value) and value > 0 and float(f"{value:.{decimals}f}") else text


def interval(bounds: tuple[float, float], decimals: int) -> str:
    """Such as `−0.02 to +0.31`; a dash where it is undefined."""
    low, high = bounds
    return UNKNOWN if math.isnan(low) or math.isnan(high) else f"{signed(low, decimals)} to {signed(high, decimals)}"


def more_or_less(value: float, decimals: int) -> str:
    """A difference in words, such as `0.05 more`, `0.02 less` or `the same`; a dash where it is undefined."""
    if not math.isfinite(value):
        return UNKNOWN
    text = number(abs(value), decimals)
    return "the same" if not float(text) else f"{text} {'more' if value > 0 else 'less'}"


def p_value(p: float) -> str:
    """Two digits, such as `0.043` or `0.00031`; a dash where there is none."""
    return UNKNOWN if math.isnan(p) else f"{p:.1f}" if p >= 0.995 else f"{p:.2g}" if p >= 1e-4 else f"{p:.1g}"


def percent(share: float) -> str:
    """Such as `12 %`, with a decimal below one; a dash where it is undefined."""
    if math.isnan(share):
        return UNKNOWN
    return f"{100 * share:.0f} %" if share >= 0.01 or not share else f"{100 * share:.2g} %"


def duration(seconds: float) -> str:
    """Such as `45 s`, `3 min 20 s` or `2 h 05 min`; a dash where it is unknown."""
    return numbers.duration(seconds) if math.isfinite(seconds) else UNKNOWN


def recipe(record: SweepRecord, configuration_id: str) -> str:
    """A configuration in words: its strategy, and the searched settings that the strategy does not name, such as
    `reinit 2 (learning rate 5e-5)`."""
    of: Configuration = record.configurations[configuration_id].configuration
    names = [name for name in searched_hyperparameters(record) if name not in (*STRATEGY_NAMES, "model")]
    settings = ", ".join(f"{title_of(name)} {numbers.compact(getattr(of, name))}" for name in names)
    return record.label(configuration_id) + (f" ({settings})" if settings else "")


def join_with_and(items: Sequence[str], most: int = 5) -> str:
    """Such as `a, b and c`; of many the first ones, and how many more there are."""
    if len(items) > most:
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def _with_minus(text: str) -> str:
    return text.replace("-", "−")

"""How numbers, settings and shares are written for people: with no more digits than the spread supports."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from blurb_tune.core.trial import HYPERPARAMETER_NAMES, STRATEGY_NAMES, Configuration
from blurb_tune.log.record import SweepRecord
from blurb_tune.stats.stability import Spread

UNKNOWN = "–"
_FEWEST_DECIMALS, _MOST_DECIMALS = 2, 5


def supported_decimals(spreads: Iterable[Spread]) -> int:
    """Decimals to which scores of these spreads mean something: the place of the first digit of the median standard error of
    their means, at least 2 and at most 5; 3 where no standard error is known."""
    errors = sorted(s.std / math.sqrt(s.n) for s in spreads if s.n and s.std > 0)
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
    """A difference in words, such as `0.05 more`, `0.02 less` or `the same`."""
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


def counted(count: int, noun: str) -> str:
    """Such as `1 run` or `3 runs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(seconds: float) -> str:
    """Such as `45 s`, `3 min 20 s` or `2 h 05 min`; a dash where it is unknown."""
    if not math.isfinite(seconds):
        return UNKNOWN
    whole = round(max(seconds, 0.0))
    if whole < 10:
        return f"{max(seconds, 0.0):.1f} s"
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def setting(value: Any) -> str:
    """A hyperparameter's value in a table: three digits, `5e-5` rather than `5e-05`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if not isinstance(value, float):
        return str(value)
    digits, e, power = f"{value:.3g}".partition("e")
    return f"{digits}e{int(power)}" if e else digits


def setting_name(name: str) -> str:
    """What a hyperparameter is called in a sentence or at the head of a column: as in the spec, in words."""
    return name.replace("_", " ")


def searched(record: SweepRecord) -> list[str]:
    """The hyperparameters of which the sweep's configurations have more than one value, in the order of the fields."""
    configurations = [of.configuration for of in record.configurations.values()]
    return [name for name in HYPERPARAMETER_NAMES if len({getattr(c, name) for c in configurations}) > 1]


def recipe(record: SweepRecord, configuration_id: str) -> str:
    """A configuration in words: its strategy, and the searched settings that the strategy does not name, such as
    `reinit 2 (learning rate 5e-5)`."""
    of: Configuration = record.configurations[configuration_id].configuration
    names = [name for name in searched(record) if name not in (*STRATEGY_NAMES, "model")]
    settings = ", ".join(f"{setting_name(name)} {setting(getattr(of, name))}" for name in names)
    return record.label(configuration_id) + (f" ({settings})" if settings else "")


def listed(items: Sequence[str], most: int = 5) -> str:
    """Such as `a, b and c`; of many the first ones, and how many more there are."""
    if len(items) > most:
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def _with_minus(text: str) -> str:
    return text.replace("-", "−")

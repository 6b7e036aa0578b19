"""How numbers are written for people: no more digits than they support. Plain ASCII, which any terminal and log can hold."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median
from typing import Any

_FEWEST_DECIMALS, _DECIMALS, _MOST_DECIMALS = 2, 3, 4


def score(number: float, decimals: int = _DECIMALS) -> str:
    """Three decimals, or as many as `decimals_for` says; `-` where undefined."""
    return "-" if math.isnan(number) else f"{_unsigned_zero(number, decimals):.{decimals}f}"


def difference(number: float, decimals: int = _DECIMALS) -> str:
    """The same with the sign."""
    return "-" if math.isnan(number) else f"{_unsigned_zero(number, decimals):+.{decimals}f}"


def decimals_for(errors: Iterable[float]) -> int:
    """The decimals for a column of scores with these standard errors: those that show two digits of the median error, 2 to 4;
    3 where no error is known."""
    known = [error for error in errors if math.isfinite(error) and error > 0]
    if not known:
        return _DECIMALS
    return min(max(1 - math.floor(math.log10(median(known))), _FEWEST_DECIMALS), _MOST_DECIMALS)


def interval(bounds: tuple[float, float], decimals: int = _DECIMALS) -> str:
    """Such as `0.41 to 0.62`; `-` where undefined."""
    low, high = bounds
    return "-" if math.isnan(low) else f"{score(low, decimals)} to {score(high, decimals)}"


def interval_of_difference(bounds: tuple[float, float], decimals: int = _DECIMALS) -> str:
    """Such as `-0.02 to +0.31`; `-` where undefined."""
    low, high = bounds
    return "-" if math.isnan(low) else f"{difference(low, decimals)} to {difference(high, decimals)}"


def compact(value: Any, digits: int = 3) -> str:
    """A hyperparameter's value in `digits` significant digits at most, such as `0.992`, `5e-5` or `128`; `unset` for None."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "on" if value else "off"
    if not isinstance(value, float):
        return str(value)
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def p_value(p: float) -> str:
    """Two decimals, below 0.1 three; `<0.001` below that; `-` where undefined."""
    if math.isnan(p):
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def share(part: int, whole: int) -> str:
    """Such as `2/5`; `-` of nothing."""
    return f"{part}/{whole}" if whole else "-"


def percents(bounds: tuple[float, float]) -> str:
    """An interval of shares, such as `3-56 %`."""
    low, high = bounds
    return f"{100 * low:.0f}-{100 * high:.0f} %"


def plural(count: int, noun: str) -> str:
    """Such as `1 trial` or `3 trials`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(seconds: float) -> str:
    """Such as `45 s`, `3 min 20 s` or `2 h 05 min`; a tenth is shown below ten seconds."""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def time_left(seconds: float) -> str:
    """No more exact than an estimate may look, and rounded up: `under 10 s left`, `about 7 min left`, `about 2 d 5 h left`."""
    if seconds < 10:
        return "under 10 s left"
    if seconds <= 50:
        return f"about {math.ceil(seconds / 10) * 10} s left"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min left"
    minutes = math.ceil(minutes / 10) * 10
    if minutes < 24 * 60:
        return f"about {minutes // 60} h {minutes % 60:02d} min left"
    hours = math.ceil(minutes / 60)
    return f"about {hours // 24} d {hours % 24} h left"


def yaml_scalar(value: Any) -> str:
    """A hyperparameter's value as every reader of YAML takes it: `5.0e-05`, since 1.1 reads `5e-05` as a text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    if isinstance(value, float) and "e" in text and "." not in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}.0e{exponent}"
    return text


def round_float(value: Any, digits: int = 4) -> Any:
    """A float with `digits` significant digits, anything else as it is."""
    return float(f"{value:.{digits}g}") if isinstance(value, float) and math.isfinite(value) else value


def _unsigned_zero(number: float, decimals: int) -> float:
    """What rounds to zero has no sign: `-0.000` tells nobody anything."""
    return 0.0 if round(number, decimals) == 0 else number

"""How numbers are written in the terminal. Plain ASCII, so that any terminal and any log file can hold it."""

from __future__ import annotations

import math
from typing import Any


def score(number: float) -> str:
    """Three decimals; `-` where undefined."""
    return "-" if math.isnan(number) else f"{number:.3f}"


def difference(number: float) -> str:
    """Three decimals with the sign; `-` where undefined."""
    return "-" if math.isnan(number) else f"{number:+.3f}"


def share(part: int, whole: int) -> str:
    """Such as `2/5`; `-` of nothing."""
    return f"{part}/{whole}" if whole else "-"


def spanned(interval: tuple[float, float]) -> str:
    """An interval of differences, such as `-0.02..+0.31`; `-` where undefined."""
    low, high = interval
    return "-" if math.isnan(low) else f"{low:+.2f}..{high:+.2f}"


def percents(interval: tuple[float, float]) -> str:
    """An interval of shares, such as `3-56 %`."""
    low, high = interval
    return f"{100 * low:.0f}-{100 * high:.0f} %"


def counted(count: int, noun: str) -> str:
    """Such as `1 trial` or `3 trials`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


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


def spelled(value: Any) -> str:
    """A hyperparameter's value as a spec has to spell it: YAML reads `5e-05` as a string, and `5.0e-05` as a number."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    if isinstance(value, float) and "e" in text and "." not in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}.0e{exponent}"
    return text

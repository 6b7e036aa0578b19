"""From numbers to coordinates and back, and the ticks between."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """The numbers from `low` to `high` laid on the coordinates from `start` to `end`, in the logarithm where `is_log`.

    Raises ValueError unless low < high are finite, and positive where `is_log`.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __post_init__(self) -> None:
        is_finite = math.isfinite(self.low) and math.isfinite(self.high)
        if not (is_finite and self.low < self.high and (self.low > 0 or not self.is_log)):
            raise ValueError(f"`low < high` must hold, both finite, but got (low={self.low}, high={self.high})")

    def __call__(self, value: float) -> float:
        low, high = self._of(self.low), self._of(self.high)
        return self.start + (self._of(value) - low) / (high - low) * (self.end - self.start)

    def invert(self, coordinate: float) -> float:
        """The number that lies at a coordinate."""
        low, high = self._of(self.low), self._of(self.high)
        value = low + (coordinate - self.start) / (self.end - self.start) * (high - low)
        return math.exp(value) if self.is_log else value

    def clip(self, value: float) -> float:
        """The coordinate of the nearest number within the bounds."""
        return self(min(max(value, self.low), self.high))

    def ticks(self, count: int = 5) -> list[float]:
        """About so many round numbers within the bounds, ascending."""
        if self.is_log:
            return _log_ticks(self.low, self.high, count)
        step = _round_step((self.high - self.low) / max(1, count))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]

    def labels(self, ticks: Sequence[float]) -> list[str]:
        """The ticks as text, with as many decimals as tell them from each other."""
        if self.is_log or (ticks and max(map(abs, ticks)) < 1e-3) or (ticks and max(map(abs, ticks)) >= 1e6):
            return [short(tick, 6) for tick in ticks]
        step = min((b - a for a, b in itertools.pairwise(ticks)), default=0.01)
        decimals = next(d for d in range(20) if abs(round(step, d) - step) < 1e-6 * step)
        return [f"{tick + 0.0:.{decimals}f}".replace("-", "\u2212") for tick in ticks]

    def _of(self, value: float) -> float:
        return math.log(value) if self.is_log else value


def covering(values: Iterable[float], start: float, end: float, *, margin: float = 0.04, is_log: bool = False) -> Scale:
    """A scale that holds all finite `values`, positive ones where `is_log`, with a margin; up to 1 where there are none."""
    known = [value for value in values if math.isfinite(value) and (value > 0 or not is_log)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0) if not is_log else (0.1, 1.0)
    if is_log:
        room = (high / low) ** margin if high / low > 1 + 1e-9 else 1.5
        return Scale(low / room, high * room, start, end, is_log=True)
    size = high - low
    room = size * margin if size > 1e-9 * max(abs(low), abs(high)) and size > 1e-300 else max(0.5 * abs(high), 0.05)
    return Scale(low - room, high + room, start, end)


def short(value: float, digits: int = 3) -> str:
    """A number in few characters, to so many significant digits: `5e-5`, `0.1`, `20`."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.{max(digits, 5 if value == round(value) else 0)}g}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= step * (1 - 1e-9))


def _log_ticks(low: float, high: float, count: int) -> list[float]:
    """Powers of ten, with their doubles and fives, or their multiples, where these alone are too few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
        every = max(1, (last - first) // (2 * count))
        ticks = [factor * 10.0**power for power in range(first, last + 1, every) for factor in factors]
        inside = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(inside) >= min(3, count):
            return inside[:: max(1, len(inside) // (2 * count))]
    return inside if inside else [low]

"""One hyperparameter as an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blurb_tune.report.figures.scale import Scale, covering
from blurb_tune.report.figures.words import value_text
from blurb_tune.search.importance import is_logarithmic

_MOST_CATEGORIES = 6


@dataclass(frozen=True)
class Dimension:
    """Values to coordinates. categories: few values, side by side however far they are apart; None for a scale of numbers."""

    categories: tuple[object, ...] | None
    scale: Scale

    def __call__(self, value: object) -> float:
        if self.categories is not None:
            return self.scale(self.categories.index(value))
        if not isinstance(value, int | float):
            raise TypeError(f"expected a number, but got {value!r}")
        return self.scale(value)

    def ticks(self, count: int) -> list[tuple[float, str]]:
        """Coordinates and their labels."""
        if self.categories is not None:
            return [(self.scale(index), value_text(value)) for index, value in enumerate(self.categories)]
        ticks = self.scale.ticks(count)
        return list(zip(map(self.scale, ticks), self.scale.labels(ticks), strict=True))


def dimension(values: Sequence[object], start: float, end: float) -> Dimension:
    """The axis of these values: categories where they are six at most or no numbers; of numbers linear or logarithmic."""
    different = list(dict.fromkeys(values))
    numbers = [value for value in different if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(different) or len(different) <= _MOST_CATEGORIES:
        named = [value for value in different if value not in numbers]
        ordered = (*sorted(numbers), *sorted(named, key=str))
        return Dimension(ordered, Scale(-0.5, len(ordered) - 0.5, start, end))
    return Dimension(None, covering(numbers, start, end, is_log=is_logarithmic(numbers)))

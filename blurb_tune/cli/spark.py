"""A curve in a few characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

_LEVELS = "▁▂▃▄▅▆▇█"
_UNDEFINED = "x"


def spark(values: Sequence[float], width: int) -> str:
    """The values from left to right in `width` characters at most, between the least and the greatest of them; x where one is
    not finite. Of more values than characters the last of each part is shown."""
    shown = list(values)
    if len(shown) > width:
        shown = [shown[math.ceil((place + 1) * len(shown) / width) - 1] for place in range(width)]
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return _UNDEFINED * len(shown)
    low, high = min(finite), max(finite)

    def level(value: float) -> str:
        if not math.isfinite(value):
            return _UNDEFINED
        place = (value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5  # halves, for the ends may be far apart
        return _LEVELS[min(int(place * len(_LEVELS)), len(_LEVELS) - 1)]

    return "".join(map(level, shown))

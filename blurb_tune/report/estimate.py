"""An estimate of the time left that a person can watch: it counts down, and does not jump with every result."""

from __future__ import annotations

import math

_TOLERANCE = 0.15  # of the time left: what estimates differ by from result to result
_SECONDS = 20.0  # in which it takes most of a step toward an estimate that differs by more


class SteadyEstimate:
    """Shows when a sweep will end. An estimate that differs a little changes nothing; one that differs more is approached."""

    def __init__(self) -> None:
        self._end: float | None = None
        self._is_moving = False
        self._seen = 0.0

    def smooth(self, seconds_left: float | None, now: float) -> float | None:
        """What to show of the newest estimate, to be called for every frame. now: in seconds since the epoch."""
        if seconds_left is None:
            self._end = None
            return None
        newest = now + seconds_left
        if self._end is None:
            self._end = newest
        off = abs(newest - self._end)
        self._is_moving = off > (_TOLERANCE / 3 if self._is_moving else _TOLERANCE) * max(seconds_left, 1.0)
        if self._is_moving:
            self._end += (newest - self._end) * (1 - math.exp(-max(now - self._seen, 0.0) / _SECONDS))
        self._seen = now
        return max(self._end - now, 0.0)

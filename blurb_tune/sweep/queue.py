"""What waits to be run: trials in the order of a key, and what else of their configuration waits with them."""

from __future__ import annotations

import heapq
import itertools

from blurb_tune.core.trial import TrialConfig, Work

Key = tuple[int, ...]


class WorkQueue:
    """Trials by key, the lowest first, and of the same key the one that came first. Each step costs O(log n)."""

    def __init__(self) -> None:
        self._heap: list[tuple[Key, int, str]] = []
        self._waiting: dict[str, dict[int, TrialConfig]] = {}  # by configuration and ticket
        self._tickets = itertools.count()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __len__(self) -> int:
        """About how many trials wait: those that left with an earlier one may still be counted."""
        return len(self._heap)

    def push(self, key: Key, trial: TrialConfig) -> None:
        ticket = next(self._tickets)
        heapq.heappush(self._heap, (key, ticket, trial.configuration_id))
        self._waiting.setdefault(trial.configuration_id, {})[ticket] = trial

    def clear(self) -> None:
        self._heap.clear()
        self._waiting.clear()

    def has(self, configuration_id: str) -> bool:
        """Whether a trial of this configuration waits."""
        return configuration_id in self._waiting

    def first(self) -> tuple[Key, TrialConfig] | None:
        while self._heap:
            key, ticket, cid = self._heap[0]
            trial = self._waiting.get(cid, {}).get(ticket)
            if trial is not None:
                return key, trial
            heapq.heappop(self._heap)  # was taken with an earlier one
        return None

    def pop(self, most: int = 1) -> Work:
        """Take the first trial, with up to `most` - 1 others of its configuration and its attempt. Raises IndexError."""
        if self.first() is None:
            raise IndexError("nothing waits")
        _, ticket, cid = heapq.heappop(self._heap)
        waiting = self._waiting[cid]
        first = waiting.pop(ticket)
        tickets = [ticket for ticket, trial in waiting.items() if trial.attempt == first.attempt][: most - 1]
        trials = (first, *(waiting.pop(ticket) for ticket in tickets))
        if not waiting:
            del self._waiting[cid]
        return Work(trials)

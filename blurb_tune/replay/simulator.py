"""A backend for the sweep on simulated time: what trials report is given, and everything that decides is the real thing."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from blurb_tune.core.trial import Prune, TrialConfig, TrialReport
from blurb_tune.log import events as ev
from blurb_tune.sweep.sweep import Sweep

# What a trial reports in place of its next report when its process dies.
LOST = TrialReport(reason="lost")

# The seconds that each report of a trial takes, and the report; the last one has an outcome, unless the trial is lost.
Behavior = Callable[[TrialConfig], Iterable[tuple[float, TrialReport]]]


class MemoryLog:
    """A sweep's log that is kept in memory.

    now: seconds since the epoch at which what is appended happens; None for the clock's.
    """

    def __init__(self, events: Iterable[ev.Event] = ()):
        self.events = list(events)
        self.now: float | None = None
        self._followers: list[Callable[[ev.Event], None]] = []

    def append(self, event: ev.Event) -> None:
        if self.now is not None:
            event = replace(event, time=self.now)
        self.events.append(event)
        for follower in self._followers:
            follower(event)

    def follow(self, follower: Callable[[ev.Event], None]) -> None:
        self._followers.append(follower)


def simulate(
    sweep: Sweep,
    behave: Behavior,
    *,
    slots: int = 1,
    replicates: int = 1,
    turns: int | None = None,
    tell_time: Callable[[float], None] = lambda now: None,
) -> float:
    """Run a sweep on so many slots until nothing is left, or for so many reports; the simulated seconds it took.

    replicates: most of a configuration that a slot takes up at a time, which then run side by side on it. tell_time: called
    with the simulated seconds before anything happens at that time. Ends name their slot as the worker.
    """
    queue: list[tuple[float, int, str, TrialReport]] = []
    running: dict[str, Iterator[tuple[float, TrialReport]]] = {}
    slot_of: dict[str, int] = {}
    busy: dict[int, int] = {}  # trials that still run, by slot
    tickets = itertools.count()
    now = 0.0

    def wait_for_next(trial_id: str) -> None:
        seconds, report = next(running[trial_id])
        heapq.heappush(queue, (now + seconds, next(tickets), trial_id, report))

    def end(trial_id: str) -> None:
        del running[trial_id]
        slot = slot_of.pop(trial_id)
        busy[slot] -= 1
        if not busy[slot]:
            del busy[slot]

    while turns is None or turns > 0:
        while len(busy) < slots and (work := sweep.next_work(replicates)):
            slot = next(number for number in itertools.count() if number not in busy)
            busy[slot] = len(work.trials)
            for trial in work.trials:
                running[trial.trial_id], slot_of[trial.trial_id] = iter(behave(trial)), slot
                wait_for_next(trial.trial_id)
        if not queue:
            break
        now, _, trial_id, report = heapq.heappop(queue)
        turns = None if turns is None else turns - 1
        tell_time(now)
        if report is not LOST and not report.worker:
            report = replace(report, worker=f"simulated:{slot_of[trial_id]}")
        if report is LOST:
            sweep.report_lost(trial_id, "its process is gone")
            end(trial_id)
        elif isinstance(sweep.report(trial_id, report), Prune) or report.outcome is not None:
            end(trial_id)
        else:
            wait_for_next(trial_id)
    return now

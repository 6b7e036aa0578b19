"""Removes what trials leave in the storage, once no decision and no test can need it any more."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress

from blurb_tune.core.storage import Storage
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord

WEIGHTS_SUFFIX = ".safetensors"


def weights_name(trial_id: str, attempt: int) -> str:
    """What an attempt's weights are called. What an interrupted one left is never taken for those of the next."""
    return trial_id if attempt == 1 else f"{trial_id}-a{attempt}"


class WeightsCleanup:
    """Follows a sweep's events, and removes the weights of trials that cannot win any more.

    Kept are those of configurations at work and of those that lead: when one ends, it or whoever led before it goes.
    """

    def __init__(self, storage: Storage, record: SweepRecord):
        self._storage, self._record = storage, record
        self._leaders: set[str] | None = None

    def on_event(self, event: ev.Event) -> None:
        if not isinstance(event, ev.ConfigurationEnded):
            return
        leaders = self._record.leaders()
        if self._leaders is None:  # an earlier driver may have left any
            drop_weights(self._storage, self._names({*self._record.open_configurations, *leaders}))
        else:
            beaten = {event.configuration, *self._leaders} - leaders - self._record.open_configurations
            for name in self._names(beaten):
                self._storage.delete(f"{name}{WEIGHTS_SUFFIX}")
        self._leaders = leaders

    def _names(self, configurations: Iterable[str]) -> set[str]:
        """The weights of all attempts: one that was given up may have written its own."""
        record = self._record
        trials = (trial for name in configurations for trial in (*record.trials_of(name), *record.confirmations_of(name)))
        return {weights_name(trial.trial_id, attempt) for trial in trials for attempt in range(1, trial.attempt + 1)}


def drop_weights(storage: Storage, keep: Collection[str]) -> None:
    """Remove all weights but those named in `keep`. What is half written is left alone: its writer may be at work."""
    for name in storage.names():
        if name.endswith(WEIGHTS_SUFFIX) and name.removesuffix(WEIGHTS_SUFFIX) not in keep:
            storage.delete(name)


class CheckpointCleanup:
    """Follows a sweep's events, and removes the checkpoints of trials that have ended."""

    def __init__(self, checkpoints: Storage):
        self._checkpoints = checkpoints

    def on_event(self, event: ev.Event) -> None:
        with suppress(OSError):  # the storage is away; the sweep's end clears it all
            if isinstance(event, ev.TrialEnded) and not event.retry:
                self._checkpoints.child(event.trial).clear()
            elif isinstance(event, ev.SweepEnded) and event.status == "finished":
                self._checkpoints.clear()

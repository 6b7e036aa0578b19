"""What of a sweep's event log MLflow does not have yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import fold_events, read_events
from blurb_tune.tracking.run_data import RunUpdate
from blurb_tune.tracking.updates import RunBuilder

_PIECE = 2000  # events between two bookmarks: many whole trials, and little to do again after a crash


class Backlog:
    """The log from byte `offset` on, in pieces. A piece stays the next one until `advance` says that it arrived.

    read_to: bytes of the log that pieces have been made of.
    """

    def __init__(self, log: Path):
        self._log = log
        self.rewind()

    def rewind(self) -> None:
        """Begin with the first event again."""
        self.offset = 0
        self.read_to = self._taken_to = 0
        self._began: dict[str, int] = {}
        self._builder = RunBuilder()
        self._piece: list[RunUpdate] | None = None

    def skip_to(self, offset: int) -> bool:
        """Take the events before byte `offset` for delivered; False, and none skipped, where no event ends there.

        Raises BlurbTuneError when the log is damaged.
        """
        self.rewind()
        events = fold_events(self._log, self._apply)
        while self.read_to < offset and (end := next(events, None)) is not None:
            self.read_to = end
        if self.read_to != offset:
            self.rewind()
            return False
        self._builder.take()
        self._began = {}
        self.offset = self._taken_to = offset
        return True

    def next_piece(self, is_early: Callable[[RunUpdate], bool] = lambda _: False) -> list[RunUpdate] | None:
        """The updates that come next, which may be none at all; None when everything has been delivered but what `is_early`.

        Raises BlurbTuneError when the log is damaged, once what stands before the damage has been delivered.
        """
        if self._piece is None and self.size > self.read_to:
            try:
                self._read()
            except BlurbTuneError:
                if self.read_to == self._taken_to:
                    raise
        if self._piece is None:
            updates = self._builder.take(is_early)
            if updates or self.read_to > self._taken_to:
                self._piece, self._taken_to = updates, self.read_to
        return self._piece

    def advance(self) -> None:
        """The piece has arrived. The log counts as delivered up to the first run that was too early to be in it."""
        self._began = {trial: self._began[trial] for trial in self._builder.pending_trials}
        self.offset, self._piece = min(self._began.values(), default=self._taken_to), None

    def delivered_runs(self) -> dict[str | None, int]:
        """The runs that MLflow must have by now, with their attempt: the sweep's own (None) and the trials'."""
        if self.offset == 0:
            return {}
        coming = {*self._builder.pending_trials, *(update.trial for update in self._piece or () if update.is_new)}
        trials = self._builder.record.trials.values()
        return {None: 1, **{trial.trial_id: trial.attempt for trial in trials if trial.trial_id not in coming}}

    @property
    def size(self) -> int:
        """Bytes of the log, of a torn last line too."""
        return self._log.stat().st_size if self._log.exists() else 0

    def count(self) -> int:
        """Events not delivered yet."""
        if self.size == 0:
            return 0
        with self._log.open("rb") as log:
            log.seek(self.offset)
            return sum(block.count(b"\n") for block in iter(lambda: log.read(1 << 20), b""))

    def sweep_id(self) -> str:
        """Raises BlurbTuneError when the log does not begin with the start of a sweep."""
        event, _ = next(read_events(self._log), (None, 0))
        if not isinstance(event, ev.SweepStarted):
            raise BlurbTuneError(f"{self._log}: this event log does not begin with the start of a sweep")
        return event.sweep_id

    def _read(self) -> None:
        for count, end in enumerate(fold_events(self._log, self._apply, self.read_to), start=1):
            self.read_to = end
            if count == _PIECE:
                return

    def _apply(self, event: ev.Event) -> None:
        self._builder.apply(event)
        if isinstance(event, ev.TrialStarted):
            self._began[event.trial] = self.read_to

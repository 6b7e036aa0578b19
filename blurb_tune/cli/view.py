"""What follows a sweep on behalf of whoever looks on."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from blurb_tune.core.pulse import Onlooker
from blurb_tune.log.events import Event
from blurb_tune.log.record import SweepRecord


class View(Onlooker):
    """Follows a sweep: within its context, `on_event` hears every event of this driver, the first included. This one is blind.

    All methods may be called from any thread.
    """

    def begin(self, title: str, folder: Path, record: SweepRecord) -> None:
        """Say which sweep it is. record: what earlier drivers left; the view folds the events into it, so nobody else may."""

    def on_event(self, event: Event) -> None:
        """An event of the sweep."""

    def say(self, text: str) -> None:
        """A message that stays."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to undo."""

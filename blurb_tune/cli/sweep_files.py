"""The files that a sweep leaves beside its log: tables while it runs, and at its end all of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from blurb_tune.core.errors import UnwrittenError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.provenance import provenance_of
from blurb_tune.report.result_files import write_all
from blurb_tune.tracking.server import runs_address

_SECONDS_BETWEEN_TABLES = 30.0
_REST_BETWEEN_TABLES = 20  # times what writing them took: it grows with the sweep, and must not slow it down


def write_everything(record: SweepRecord, paths: SweepPaths) -> list[str]:
    """The tables, the figure of all seeds and the report. Returns which of them cannot be written and why; all others are."""
    from blurb_tune.report.figures.image_files import write_png
    from blurb_tune.report.figures.seeds import seeds_figure

    writers: list[Callable[[], None]] = [lambda: write_all(record, paths)]
    if (figure := seeds_figure(record)) is not None:
        writers.append(lambda: write_png(figure, paths.plot))
    faults: list[str] = []
    for write in writers:
        try:
            write()
        except UnwrittenError as error:
            faults += error.faults
    return faults + _write_report(record, paths)


def _write_report(record: SweepRecord, paths: SweepPaths) -> list[str]:
    """A fault of the report itself is said, and is none of the sweep's: `report` makes it again."""
    from blurb_tune.report.report_files import write_page

    try:
        write_page(record, provenance_of(paths, runs_address(paths)), paths.report)
    except OSError as error:
        return [f"{paths.report}: cannot be written ({error.strerror})"]
    except Exception as error:  # whatever a page stumbles over, the sweep is over and its numbers stand in the tables
        print(f"{paths.report}: no report, because of a fault in it: {error!r}", file=sys.stderr)
    return []


class Tables:
    """Keeps the tables in step with the log, now and then: somebody may look at them while the sweep runs."""

    def __init__(self, paths: SweepPaths):
        self._paths = paths
        self._record: SweepRecord | None = None
        self._due = time.monotonic() + _SECONDS_BETWEEN_TABLES

    def on_event(self, event: ev.Event) -> None:
        if self._record is None:  # of a sweep that is resumed the log holds what came before
            self._record = SweepRecord.read(self._paths.events)
        else:
            self._record.apply(event)
        is_due = isinstance(event, ev.ConfigurationEnded) and time.monotonic() > self._due
        # At the end at once: whoever sent SIGTERM may not wait until Ray is gone.
        if is_due or isinstance(event, ev.SweepEnded):
            started = time.monotonic()
            write_all(self._record, self._paths)
            took = time.monotonic() - started
            self._due = time.monotonic() + max(_SECONDS_BETWEEN_TABLES, _REST_BETWEEN_TABLES * took)

"""The background thread that brings a running sweep to MLflow."""

from __future__ import annotations

import logging
import math
import threading
import time

from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.secrets import redact
from blurb_tune.log.events import Event
from blurb_tune.tracking.delivery import Deliverer, Delivery

_POLL = 1.0
_LONGEST_SILENCE = 15.0  # at the end of a sweep, of a server that fails
_SHORTEST_REST = 0.2  # leaves the driver and the server room, when a delivery takes as long as the period
_logger = logging.getLogger(__name__)


class TrackingWriter:
    """Follows the event log on disk and delivers it to MLflow, whatever the state of the server.

    The thread learns nothing from the driver but that there is news; what it cannot deliver stays in the log, and is
    delivered when the server is back, or by the next run of `deliver`.

    period: seconds from the beginning of one delivery to that of the next, in which news gathers. A result is there after
    `period`, the time of a delivery, and for the first ones of a trial `patience` at most. A server that takes longer than
    `period` for a delivery gets more with each request, not more requests. patience: so many seconds a trial's run waits to be
    created, so that a trial which ends within them costs three requests: create, log, end.
    """

    def __init__(self, paths: SweepPaths, uri: str, experiment: str, period: float = 3.0, patience: float = 1.0):
        self._uri = uri
        self._period, self._patience = period, patience
        self._deliverer = Deliverer(paths, uri, experiment)
        self._news = threading.Event()
        self._closing = threading.Event()
        self._deadline = math.inf
        self._moved = (0, math.inf)
        self._thread = threading.Thread(target=self._run, name="mlflow-tracking", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def notify(self, event: Event | None = None) -> None:
        """Say that the log has grown. Only sets a flag; fit to observe the log."""
        self._news.set()

    @property
    def error(self) -> str:
        """Why MLflow takes nothing at present, without secrets; empty while it does."""
        return self._deliverer.error

    def close(self, timeout: float) -> Delivery:
        """Deliver the rest, with the sweep's tables and plot, which must be written by now; wait at most `timeout` seconds.

        A server that has taken nothing for some of them is waited for no longer.
        The thread ends; what it did not deliver remains in the log, and the answer counts it.
        """
        self._deadline, self._moved = time.monotonic() + timeout, (self._deliverer.offset, time.monotonic())
        self._closing.set()
        self._news.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        result = self._deliverer.result()
        if self._thread.is_alive() and not result.error:
            return Delivery(result.undelivered, f"{redact(self._uri)} took too long to answer", result.warnings)
        return result

    def _run(self) -> None:
        try:
            started = time.monotonic()
            while not self._work():
                self._rest(started)
                started = time.monotonic()
        finally:
            self._deliverer.close()

    def _work(self) -> bool:
        """Deliver what there is; True when that was the last time."""
        closing = self._closing.is_set()
        before = self._deliverer.error
        self._news.clear()
        done = self._deliverer.attempt(self._is_late, is_last=closing, patience=self._patience)
        after = self._deliverer.error
        if after and not before:
            _logger.warning(
                "MLflow at %s takes nothing at present, the event log keeps it for later: %s", redact(self._uri), after
            )
        elif before and not after:
            _logger.info("MLflow at %s is back", redact(self._uri))
        return closing and (done or self._is_late())

    def _rest(self, started: float) -> None:
        """Wait for news and for the next time to deliver; while closing, only as long as there is time left.

        started: when the last delivery began, a time.monotonic().
        """
        if self._closing.is_set():
            time.sleep(max(0.0, min(_POLL, self._deliverer.pause, self._deadline - time.monotonic())))
        elif self._deliverer.error:
            self._closing.wait(self._deliverer.pause)
        else:
            self._closing.wait(max(_SHORTEST_REST, started + self._period - time.monotonic()))
            self._news.wait(_POLL)

    def _is_late(self) -> bool:
        now = time.monotonic()
        if self._deliverer.offset > self._moved[0]:
            self._moved = (self._deliverer.offset, now)
        return now >= self._deadline or bool(self._deliverer.error and now - self._moved[1] > _LONGEST_SILENCE)

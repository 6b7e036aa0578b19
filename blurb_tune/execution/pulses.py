"""What running trials do, sent through the cluster's own key-value store: no event, no file, one short value per slot."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Self

from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_list, _internal_kv_put

from blurb_tune.core.pulse import Onlooker, Pulse
from blurb_tune.execution.halt import Halt

_NAMESPACE = b"blurb_tune"
_SECONDS_BETWEEN_STEPS = 1.0
_POLL_SECONDS = 1.0
_MOST = 64  # more than a terminal shows


class PulseSender:
    """A slot's side: the newest pulse takes the place of the one before. It costs a trial one request a second at most, and
    whatever is amiss with the store costs it nothing else."""

    def __init__(self, halt: Halt | None, worker: str):
        self._key = f"{_prefix(halt)}{worker}" if halt else ""
        self._due = 0.0

    def send(self, pulse: Pulse) -> None:
        """At once."""
        if self._key:
            self._due = time.monotonic() + _SECONDS_BETWEEN_STEPS
            with suppress(Exception):
                _internal_kv_put(self._key, json.dumps(asdict(pulse)).encode(), overwrite=True, namespace=_NAMESPACE)

    def send_if_due(self, pulse: Pulse) -> None:
        """Once a second, to be called after every step."""
        if time.monotonic() >= self._due:
            self.send(pulse)


class PulseWatch:
    """The driver's side: a thread that looks once a second, and tells the onlooker."""

    def __init__(self, halt: Halt, onlooker: Onlooker):
        self._prefix, self._onlooker = _prefix(halt), onlooker
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="pulses", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(_POLL_SECONDS)
        with suppress(Exception):
            _internal_kv_del(self._prefix, del_by_prefix=True, namespace=_NAMESPACE)

    def _look(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            with suppress(Exception):  # a cluster that does not answer has others to say so
                self._onlooker.on_pulses(self.read())

    def read(self) -> list[Pulse]:
        """The newest pulse of each slot, of 64 at most."""
        keys = _internal_kv_list(self._prefix, namespace=_NAMESPACE)[:_MOST]
        values = (_internal_kv_get(key, namespace=_NAMESPACE) for key in keys)
        return [Pulse(**json.loads(value)) for value in values if value is not None]


def _prefix(halt: Halt) -> str:
    return f"{halt.name}/pulse/"

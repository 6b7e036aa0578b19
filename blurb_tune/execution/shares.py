"""How many slots of a cluster a sweep may use beside others: each by its priority, and what one leaves goes to the rest."""

from __future__ import annotations

import json
import math
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_list, _internal_kv_put

_NAMESPACE = b"blurb_tune"
_PREFIX = "shares/"
_POLL_SECONDS = 3.0
_SECONDS_ALIVE = 30.0


@dataclass(frozen=True)
class Want:
    """What a sweep writes down for the others. count: grows while its driver is alive."""

    priority: float
    slots: int
    count: int = 0


def shares(total: int, wants: Mapping[str, Want]) -> dict[str, int]:
    """Slots of each sweep, in proportion to the priorities and no more than it wants; every slot that is wanted is given.

    Sweeps that are more than there are slots take them by their names, which begin in no order.
    """
    given = dict.fromkeys(wants, 0)
    left = total
    while left > 0 and (open_ := {name: want for name, want in wants.items() if given[name] < want.slots}):
        # The next slot goes to whoever has least for its priority.
        name = min(open_, key=lambda name: (given[name] / open_[name].priority, -open_[name].priority, name))
        given[name] += 1
        left -= 1
    return given


class SlotShare:
    """One sweep's view of the shares on its cluster; drivers tell each other through the cluster's own store.

    A driver has one from the connection to the end of the final test: whatever of it needs a slot says so here, since others
    keep theirs until somebody asks. total: slots of the whole cluster, of this sweep's kind. most: what this one may use at
    most.
    """

    def __init__(self, priority: float, total: int, most: int):
        self._name = uuid.uuid4().hex
        self._priority, self._total, self.most = priority, total, most
        self._wanted = 0
        self._count = 0
        self._seen: dict[str, tuple[int, float]] = {}
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="shares", daemon=True)
        self.slots = most
        self.others: list[str] = []

    def __enter__(self) -> Self:
        self._update()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(_POLL_SECONDS)
        with suppress(Exception):  # a cluster that is lost has no shares
            _internal_kv_del(_PREFIX + self._name, namespace=_NAMESPACE)

    def request_slots(self, slots: int) -> None:
        """This sweep could use so many now. The others hear of it within seconds."""
        self._wanted = min(slots, self.most)

    def announce(self, slots: int) -> None:
        """The same, at once, as something begins: `slots` is up to date then."""
        self.request_slots(slots)
        self._update()

    def _look(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            with suppress(Exception):  # a look that fails changes nothing; the watch says when the cluster is lost
                self._update()

    def _update(self) -> None:
        with self._turn:
            self._exchange()

    def _exchange(self) -> None:
        self._count += 1
        mine = Want(self._priority, self._wanted, self._count)
        _internal_kv_put(_PREFIX + self._name, json.dumps(mine.__dict__), overwrite=True, namespace=_NAMESPACE)
        wants = {self._name: mine}
        for key in _internal_kv_list(_PREFIX, namespace=_NAMESPACE):
            name = key.decode().removeprefix(_PREFIX)
            data = _internal_kv_get(key, namespace=_NAMESPACE)
            if name != self._name and data is not None and (want := self._alive(name, data)):
                wants[name] = want
        self.others = sorted(wants.keys() - {self._name})
        self.slots = shares(self._total, wants)[self._name] if self.others else self.most

    def _alive(self, name: str, data: bytes) -> Want | None:
        """What another wants, as long as its count grows; no clock but this machine's is asked."""
        want = Want(**json.loads(data))
        count, since = self._seen.get(name, (-1, -math.inf))
        if want.count != count:
            self._seen[name] = want.count, time.monotonic()
        elif time.monotonic() - since > _SECONDS_ALIVE:
            return None
        return want

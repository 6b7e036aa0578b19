"""Whether errors are the trials' or a machine's, and when a sweep had better stop."""

from __future__ import annotations

from collections import Counter, deque

# A process that is lost again and again at the same place is its trial's doing, such as one that needs more memory than
# there is; where each attempt comes farther, machines are preempted.
MOST_LOSSES = 5
_PATIENCE_WITH_A_HOST = 5


class Faults:
    """Counts errors in a row, and by host.

    limit: errors in a row that stop the sweep; None for no limit. When they all come from one host while another one works,
    the host is at fault: its trials are tried again elsewhere, and the sweep stops only after five times as many.
    """

    def __init__(self, limit: int | None):
        self._limit = limit
        self._row: deque[str] = deque(maxlen=limit or 1)
        self._of_host: Counter[str] = Counter()
        self._sound: set[str] = set()
        self.trouble: str | None = None

    def none(self, worker: str) -> None:
        """A trial has ended without an error on `worker`, a `host:pid`."""
        host = _host(worker)
        self._row.clear()
        self._of_host.pop(host, None)
        if host:
            self._sound.add(host)

    def add(self, worker: str, reason: str) -> bool:
        """A trial has errored; whether its host is to blame."""
        host = _host(worker)
        self._row.append(host)
        self._of_host[host] += 1
        self._sound.discard(host)
        if self._limit is None:
            return False
        count, in_a_row = self._of_host[host], len(self._row) == self._limit
        is_the_host = bool(host) and bool(self._sound) and set(self._row) == {host} and count >= self._limit
        where = worker or "a process that was lost"
        if in_a_row and not is_the_host:
            self.trouble = f"the sweep stopped, since {self._limit} trials in a row errored, the last one on {where}: {reason}"
        elif is_the_host and count >= _PATIENCE_WITH_A_HOST * self._limit:
            self.trouble = (
                f"the sweep stopped, since {count} trials in a row errored on {host}, while others did not elsewhere; "
                f"take it out of the cluster. The last one, on {where}: {reason}"
            )
        return is_the_host


def _host(worker: str) -> str:
    return worker.rpartition(":")[0]

"""A word from the driver to all trials at work: leave a checkpoint and stop, in the middle of an epoch if need be."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

_NAMESPACE = b"blurb_tune"
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Halt:
    """A flag of one driver, in the cluster's own store: it needs no process, and says nothing where the cluster is lost."""

    name: str

    def set(self) -> None:
        _internal_kv_put(self.name, b"1", overwrite=True, namespace=_NAMESPACE)

    def is_set(self) -> bool:
        return _internal_kv_get(self.name, namespace=_NAMESPACE) is not None


def tell_hang(halt: Halt, trial_id: str, attempt: int) -> None:
    """A trial's process is about to end since it hangs."""
    _internal_kv_put(f"{halt.name}/hang/{trial_id}/{attempt}", b"1", overwrite=True, namespace=_NAMESPACE)


def has_hung(halt: Halt, trial_id: str, attempt: int) -> bool:
    return _internal_kv_get(f"{halt.name}/hang/{trial_id}/{attempt}", namespace=_NAMESPACE) is not None


class HaltWatch:
    """Looks at the flag now and then, so that it can be asked after every optimizer step."""

    def __init__(self, halt: Halt | None):
        self._halt = halt
        self._next = 0.0

    def is_set(self) -> bool:
        if self._halt is None or time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + _POLL_SECONDS
        return self._halt.is_set()

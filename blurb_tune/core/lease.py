"""One driver at a time for a sweep that several machines reach, in a place that has neither locks nor a common clock."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.storage import Storage

PATIENCE = 30.0
_RENEWALS = 6  # in the time after which a silent holder is taken for dead
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """What a driver writes of itself. count: grows with each renewal; what stands still for long is dead. renewed: seconds
    since the epoch by its own clock, for people; nothing is decided by it."""

    host: str
    pid: int
    boot: str
    holds: bool
    count: int
    renewed: float

    def to_json(self) -> bytes:
        return json.dumps(self.__dict__).encode()

    @classmethod
    def of(cls, data: bytes) -> Claim | None:
        """None for what is no claim."""
        try:
            values = json.loads(data)
            return cls(**{name: kind(values[name]) for name, kind in _FIELDS.items()})
        except (ValueError, KeyError, TypeError):
            return None

    @property
    def is_known_dead(self) -> bool:
        """Its process ran on this machine, and does not any more."""
        if self.host != socket.gethostname() or self.boot != _boot():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


_FIELDS: dict[str, Callable[[Any], Any]] = {
    "host": str,
    "pid": int,
    "boot": str,
    "holds": bool,
    "count": int,
    "renewed": float,
}


class Lease:
    """Held from `__enter__` to `__exit__`; a driver that stops renewing it loses it.

    Each driver writes a claim under a name of its own, so that nobody overwrites another's, and then reads all claims: of two
    that come at once, each sees the other (writes are seen by later reads, as in S3 and on NFS after a close), and the lower
    name goes first. Whether another is alive is judged by its claim changing, not by anybody's clock.

    A write that takes effect late may bring back a claim that another has deleted meanwhile, to take the lease. So a driver
    whose renewal comes later than others wait looks who else holds it, and gives up where the write itself took that long:
    another may have come and gone.

    lost: called once, from another thread, when somebody else has taken the lease because this driver was silent for too long,
    or may have.
    """

    def __init__(self, storage: Storage, *, lost: Callable[[], None] = lambda: None, patience: float = PATIENCE):
        self._storage, self._lost, self._patience = storage, lost, patience
        self._name = uuid.uuid4().hex
        self._count = 0
        self._holds = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        """Raises BlurbTuneError when another driver is alive, and OSError where the storage does not answer in time.

        It waits for as long as a silent driver is given.
        """
        self._write()
        self._thread.start()
        try:
            looked = self._wait_for_others()
            self._holds = True
            self._write()
            if self._is_long_since(looked):
                raise TimeoutError(f"writing a claim took longer than {self._patience:.0f} s")
        except BaseException:  # after a Ctrl-C too
            self._give_back()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._give_back()

    def _wait_for_others(self) -> float:
        """When there was no other left."""
        seen: dict[str, tuple[Claim, float]] = {}
        has_told = False
        looked = _now()
        while others := self._others():
            for name, claim in others.items():
                before, since = seen.setdefault(name, (claim, time.monotonic()))
                is_alive = claim.count != before.count
                if is_alive and (claim.holds or name < self._name):
                    raise BlurbTuneError(
                        f"{self._storage.uri}: a driver on {claim.host} (pid {claim.pid}) is running this sweep"
                    )
                if is_alive:
                    seen[name] = claim, time.monotonic()  # it waits too, and will give way
                elif claim.is_known_dead or time.monotonic() - since > self._patience:
                    self._storage.delete(name)
                elif not has_told and time.monotonic() - since > 1:
                    _logger.warning("waiting up to %.0f s for the driver on %s to be alive or not", self._patience, claim.host)
                    has_told = True
            time.sleep(min(0.5, self._patience / 10))
            looked = _now()
        return looked

    def _others(self) -> dict[str, Claim]:
        found = {}
        for name in self._storage.names():
            if name != self._name:
                with suppress(FileNotFoundError):
                    if claim := Claim.of(self._storage.read(name)):
                        found[name] = claim
        return found

    def _write(self) -> None:
        self._count += 1
        claim = Claim(socket.gethostname(), os.getpid(), _boot(), self._holds, self._count, time.time())
        self._storage.write(self._name, claim.to_json())

    def _renew(self) -> None:
        renewed = _now()
        while not self._stop.wait(self._patience / _RENEWALS):
            try:
                looked = _now()
                if self._holds and self._name not in self._storage.names():
                    self._lose()
                    return
                if self._is_long_since(looked):
                    continue  # what it has been told may not be so any more
                self._write()
                others = self._others() if self._is_long_since(renewed) else {}
                if self._holds and (self._is_long_since(looked) or any(claim.holds for claim in others.values())):
                    self._lose()
                    return
                if not others:
                    renewed = looked
            except OSError as error:  # a storage that is away for everybody takes the lease from nobody
                _logger.debug("the lease could not be renewed: %s", error)

    def _is_long_since(self, when: float) -> bool:
        """Long enough for another to take this driver for dead."""
        return _now() - when > self._patience

    def _lose(self) -> None:
        self._holds = False
        self._lost()
        with suppress(OSError):
            self._storage.delete(self._name)

    def _give_back(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(self._patience)
        with suppress(OSError):
            self._storage.delete(self._name)


def _now() -> float:
    """In seconds, of a clock that goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot() -> str:
    """Of this machine's start: process ids are reused after it, and containers share host names."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + str(Path("/proc/self/ns/pid").stat().st_ino)
    return ""

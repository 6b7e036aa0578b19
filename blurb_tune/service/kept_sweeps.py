"""The sweeps in a storage: what is known of each, and how its driver is asked for something. It needs no cluster."""

from __future__ import annotations

import getpass
import json
import math
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from blurb_tune.core.errors import BlurbTuneError, ExitCode, InputError, Problem, did_you_mean
from blurb_tune.core.lease import Claim
from blurb_tune.core.storage import Storage
from blurb_tune.log.mirror import whole_log
from blurb_tune.service.sweep_state import HALTS, sweep_state

SUBMITTED, ENDED, STATUS = "sweep.json", "ended.json", "status.json"
PAYLOAD, CLAIMS, CONTROL, LOGS, EVENTS = "submitted", "claims", "control", "logs", "events"
DRIVER_LOG = f"{LOGS}/driver.log"
_LOG = "events.jsonl"
_SECONDS_ALIVE = 90.0
_LEFT_OUT = re.compile(rb"\[(\d+) bytes before this are left out\]\n")
_EXIT_CODES = tuple(int(code) for code in ExitCode)
COMMANDS = (*HALTS, "change", "retry")


@dataclass(frozen=True)
class Submission:
    """What `submit` writes down. address: of the cluster."""

    id: str
    name: str
    owner: str
    submitted: float
    address: str = ""
    priority: float = 1.0


@dataclass(frozen=True)
class Request:
    """What a driver is asked for; arguments are those of `change`."""

    command: str
    by: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """How a driver ended. reason: the command that it followed, or empty."""

    code: int
    message: str
    reason: str
    time: float


class KeptSweep:
    """One sweep as it lies in the storage."""

    def __init__(self, storage: Storage, sweep_id: str):
        self.id, self.storage = sweep_id, storage.child(sweep_id)

    @property
    def submission(self) -> Submission | None:
        data = self._json(SUBMITTED)
        with suppress(KeyError, TypeError, ValueError):
            texts = {name: _text(data[name]) for name in ("id", "name", "owner")}
            when, priority = _number(data["submitted"]), _number(data.get("priority"))
            if when is not None:
                return Submission(**texts, submitted=when, address=_text(data.get("address")), priority=priority or 1.0)
        return None

    def submit(self, submission: Submission) -> None:
        self.storage.write(SUBMITTED, json.dumps(asdict(submission)).encode())

    def ask(self, request: Request) -> None:
        """Leave a request for the driver, which looks every few seconds."""
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.json"
        self.storage.child(CONTROL).write(name, json.dumps(asdict(request)).encode())

    def requests(self) -> Iterator[tuple[str, Request]]:
        """Those that nobody has answered yet, oldest first, each with its name."""
        control = self.storage.child(CONTROL)
        for name in control.names():
            with suppress(FileNotFoundError, ValueError, TypeError):
                request = Request(**json.loads(control.read(name)))
                if request.command in COMMANDS and isinstance(request.arguments, dict):
                    yield name, replace(request, by=_text(request.by))

    def answer(self, name: str) -> None:
        """A request has been followed."""
        self.storage.child(CONTROL).delete(name)

    def begin(self) -> None:
        """A driver takes the sweep up: how the one before it ended holds no longer."""
        self.storage.write(STATUS, json.dumps(self._json(STATUS) | {"state": "starting"}).encode())
        self.storage.delete(ENDED)

    def end(self, end: End) -> None:
        """Write down how a driver ended."""
        self.storage.write(ENDED, json.dumps(asdict(end)).encode())

    def status(self, *, is_over: bool = False) -> dict[str, Any]:
        """What `list` and `status` show. code: of its last driver's exit, at the time `ended`; None before.

        is_over: it is the driver that asks, which has written its end.
        """
        has_driver = not is_over and self.has_driver()  # looked for first: a driver writes its end before it goes
        submission, known, ended = self.submission, self._json(STATUS), self._json(ENDED)
        has_driver = has_driver or (not ended and self.has_driver())  # the next one takes that away when it has come
        state = sweep_state(
            _text(known.get("state")),
            ended,
            [request.command for _, request in self.requests()],
            has_driver=has_driver,
            was_submitted=submission is not None,
        )
        return {
            "id": self.id,
            "name": (submission.name if submission else "") or _text(known.get("name")) or self.id,
            "owner": submission.owner if submission else "",
            "state": state,
            "progress": _number(known.get("progress", 0.0)),
            "best": _best(known.get("best")),
            "metric": _text(known.get("metric")),
            "trials": _counts(known.get("trials")),
            "slots": _number(known.get("slots")),
            "waiting_for": _text(known.get("waiting_for")),
            "submitted": submission.submitted if submission else _number(known.get("started")),
            "seconds_left": _number(known.get("seconds_left")),
            "message": _text(ended.get("message")),
            "code": ended.get("code") if ended.get("code") in _EXIT_CODES else None,
            "ended": _number(ended.get("time")),
            "address": submission.address if submission else "",
            "tracking": _text(known.get("tracking")),
            "folder": self.storage.uri,
            "written": _number(known.get("written")),
        }

    def has_driver(self) -> bool:
        """Whether a driver has renewed its claim of late, by its own clock."""
        claims = self.storage.child(CLAIMS)
        for name in claims.names():
            with suppress(FileNotFoundError):
                claim = Claim.of(claims.read(name))
                if claim is not None and not claim.is_known_dead and abs(time.time() - claim.renewed) < _SECONDS_ALIVE:
                    return True
        return False

    def events(self, most: int = 10) -> list[dict[str, Any]]:
        """The newest lines of the log, in words."""
        from blurb_tune.log.events import Event
        from blurb_tune.log.lines import from_line
        from blurb_tune.report.status import last_events

        found: list[Event] = []
        for line in self._log_tail().split("\n"):  # not at what else str.splitlines takes for an end, which stands in texts
            with suppress(ValueError):
                found.append(from_line(line))
        return last_events(found, most)

    def _log_tail(self, most: int = 200_000) -> str:
        """The end of the event log, from the beginning of a line on."""
        segments = [name for name in self.storage.child(EVENTS).names() if name.endswith(".jsonl")]
        try:
            data = self.storage.child(EVENTS).read(segments[-1]) if segments else self.storage.read("events.jsonl")
        except FileNotFoundError:
            return ""
        data = data[-most:]
        text: str = data[data.find(b"\n") + 1 if len(data) == most else 0 :].decode("utf-8", "replace")
        return text

    def log(self, trial: str | None = None, start: int = 0) -> tuple[str, int]:
        """The text of the driver's log, or a trial's, from byte `start` on, and where it ends.

        Raises BlurbTuneError where the trial has none.
        """
        try:
            if trial is None:
                data = self.storage.read(DRIVER_LOG)
                before = bytes_before(data)
                return data[max(0, start - before) :].decode("utf-8", "replace"), before + len(data)
            names = self.storage.child(f"{LOGS}/trials").names()
            mine = sorted((name for name in names if _trial_of(name)[0] == trial), key=_trial_of)
            if not mine:
                known = {_trial_of(name)[0] for name in names}
                raise BlurbTuneError(f"{self.id}: trial {trial!r} has no log{did_you_mean(trial, known)}")
            data = b"".join(self.storage.child(f"{LOGS}/trials").read(name) for name in mine)
            return data[start:].decode("utf-8", "replace"), len(data)
        except FileNotFoundError:
            return "", 0

    def files(self) -> list[str]:
        """What `fetch` brings: all but what only a driver needs."""
        left_out = (f"{CLAIMS}/", f"{CONTROL}/", f"{EVENTS}/", "checkpoints/")
        names = self.storage.names()
        log = [_LOG] if any(name.startswith(f"{EVENTS}/") for name in names) else []
        return [*log, *(name for name in names if not name.startswith(left_out))]

    def read(self, name: str) -> bytes:
        """One of `files`; the log in one piece, where it lies in segments. Raises FileNotFoundError."""
        try:
            return self.storage.read(name)
        except FileNotFoundError:
            if name != _LOG:
                raise
        return whole_log(self.storage.child(EVENTS))[0]

    def _json(self, name: str) -> dict[str, Any]:
        """Empty where there is none that can be read; all of it can be found out again."""
        with suppress(FileNotFoundError, ValueError):
            data = json.loads(self.storage.read(name))
            return data if isinstance(data, dict) else {}
        return {}


class Sweeps:
    """All sweeps of a storage."""

    def __init__(self, storage: Storage):
        self._storage = storage

    def all(self) -> list[KeptSweep]:
        return [KeptSweep(self._storage, name) for name in self._storage.folders()]

    def list(self) -> list[dict[str, Any]]:
        """The status of each, newest first; folders that hold no sweep are left out."""
        found = [sweep.status() for sweep in self.all()]
        found = [status for status in found if status["submitted"] is not None]
        return sorted(found, key=lambda status: -float(status["submitted"]))

    def find(self, prefix: str) -> KeptSweep:
        """By a prefix of its id that no other has. Raises InputError."""
        names = self._storage.folders()
        matching = [name for name in names if name.startswith(prefix)] if prefix else []
        if prefix in matching:
            matching = [prefix]
        if len(matching) == 1:
            return KeptSweep(self._storage, matching[0])
        if matching:
            raise InputError([Problem(prefix, f"several sweeps begin so: {_some(matching)}")])
        raise InputError([Problem(prefix or "ID", f"no sweep of this id in {self._storage.uri}{did_you_mean(prefix, names)}")])


def _text(value: object) -> str:
    """What is written here came from a storage that others write to: no control characters reach a terminal."""
    return "".join(c if c.isprintable() else "?" for c in value) if isinstance(value, str) else ""


def shorten(data: bytes, most: int) -> bytes:
    """The end of a log, behind a line that says how much stood before it; all of a log of at most `most` bytes."""
    if len(data) <= most:
        return data
    line = b"[%012d bytes before this are left out]\n"
    kept = most - len(line % 0)
    return line % (bytes_before(data) + len(data) - kept) + data[len(data) - kept :]


def bytes_before(data: bytes) -> int:
    """How many bytes of the whole log a shortened one lacks, which begins with a line in their place; 0 for a whole one."""
    found = _LEFT_OUT.match(data)
    return int(found[1]) - len(found[0]) if found else 0


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_number else None  # type: ignore[return-value]


def _counts(value: object) -> dict[str, int]:
    items = value.items() if isinstance(value, dict) else ()
    return {_text(name): count for name, count in items if isinstance(count, int)}


def _best(value: object) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    numbers = {name: _number(value.get(name)) for name in ("objective", "mean", "n")}
    return {name: _text(value.get(name)) for name in ("configuration", "strategy")} | numbers


def user() -> str:
    """Who calls; containers may run as a number without a name."""
    with suppress(KeyError, OSError, ImportError):
        return getpass.getuser()
    return "unknown"


def _trial_of(log: str) -> tuple[str, int]:
    """Whose log it is, and of which attempt."""
    trial, _, attempt = log.removesuffix(".log").partition("-a")
    return trial, int(attempt) if attempt.isdigit() else 1


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")

"""The runs of a sweep as MLflow shall hold them, as plain data, without MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blurb_tune.core.errors import BlurbTuneError

USER, NOTE = "mlflow.user", "mlflow.note.content"
SWEEP_ID, TRIAL_ID, ATTEMPT, ROLE = (f"blurb_tune.{name}" for name in ("sweep_id", "trial_id", "attempt", "role"))


@dataclass(frozen=True)
class Point:
    """One value of a metric. `timestamp` is in milliseconds since the epoch; it is the event's, so a replay repeats it."""

    name: str
    value: float
    timestamp: int
    step: int


@dataclass(frozen=True)
class DataSet:
    """What a sweep learns from. examples: by split."""

    name: str
    digest: str
    source: str
    examples: Mapping[str, int]


@dataclass
class RunUpdate:
    """What the events say about one run: the sweep's own (`trial` is None) or one attempt of a trial.

    started and ended are in milliseconds since the epoch. is_new: these events begin the run; otherwise it exists already.
    status is None while nothing changes it. data: to be named by the run.
    """

    trial: str | None
    attempt: int
    name: str
    started: int
    is_new: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    status: str | None = None
    ended: int | None = None
    data: DataSet | None = None


class RefusedError(BlurbTuneError):
    """MLflow answers that it will not take an update, as it would again. run: the trial, and its attempt."""

    def __init__(self, update: RunUpdate, said: str):
        self.run = (update.trial, update.attempt)
        super().__init__(said)


def identity(tags: Mapping[str, str]) -> dict[str, str]:
    """Those of a run's tags by which it is found."""
    return {name: tags[name] for name in (SWEEP_ID, TRIAL_ID, ATTEMPT, ROLE) if name in tags}

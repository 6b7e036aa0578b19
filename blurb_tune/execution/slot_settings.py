"""What a driver settles for all slots of a sweep, when it is known where its files go and what its log says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blurb_tune.core.storage import Storage
from blurb_tune.execution.halt import Halt


@dataclass(frozen=True)
class SlotSettings:
    """It crosses to the slots beside the environment that was prepared before.

    halt: by which the driver has trials stop in the middle of an epoch. weights: where those of finished trials go, None where
    nobody will ask for them. checkpoints: where running trials are kept every `checkpoint_seconds`, None where they are not.
    hang_seconds: without a step, after which a trial's process ends itself; None for never. logs: where what trials print
    goes, None where only Ray keeps it. versions: what the driver has installed.
    """

    precision: str
    halt: Halt
    weights: Storage | None = None
    checkpoints: Storage | None = None
    checkpoint_seconds: float = 0.0
    hang_seconds: float | None = None
    logs: Storage | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

"""Where running trials are kept, so that a process that is lost costs minutes and not a trial."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from blurb_tune.core.storage import Storage
from blurb_tune.core.trial import Measurement, TrialConfig
from blurb_tune.training.checkpoint import Checkpoint, DamagedError

_logger = logging.getLogger(__name__)
_SUFFIX = ".safetensors"
_KEPT = 2  # the newest, and the one before in case the newest is damaged


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of a sweep's trials, each under `<trial>/<optimizer steps>`.

    seconds: of training from one to the next.
    """

    storage: Storage
    seconds: float

    def save(self, trial: TrialConfig, checkpoint: Checkpoint, measurements: Sequence[Measurement]) -> None:
        """Keep where a trial stands, with what it has measured so far. Raises OSError."""
        facts = {**checkpoint.facts, "trial": _identity(trial), "measurements": [asdict(m) for m in measurements]}
        place = self.storage.child(trial.trial_id)
        with place.writing(f"{checkpoint.facts['steps']:09d}{_SUFFIX}") as path:
            Checkpoint(checkpoint.tensors, facts).save(path)
        for name in self._names(trial.trial_id)[:-_KEPT]:
            place.delete(name)

    def newest(self, trial: TrialConfig) -> tuple[Checkpoint, list[Measurement]] | None:
        """The newest that is whole and of this trial, with its measurements; None where there is none.

        What is damaged is logged and removed. Raises OSError where the storage does not answer.
        """
        place = self.storage.child(trial.trial_id)
        for name in reversed(self._names(trial.trial_id)):
            try:
                with place.reading(name) as path:
                    checkpoint = Checkpoint.load(path)
                if checkpoint.facts["trial"] != _identity(trial):
                    raise DamagedError("it is of another trial")
                return checkpoint, [Measurement(**values) for values in checkpoint.facts["measurements"]]
            except FileNotFoundError:
                continue  # removed meanwhile
            except (DamagedError, KeyError, TypeError) as error:
                _logger.warning(
                    "the checkpoint %s of %s cannot be used (%s); the one before it is", name, trial.trial_id, error
                )
                place.delete(name)
        return None

    def _names(self, trial_id: str) -> list[str]:
        return [name for name in self.storage.child(trial_id).names() if name.endswith(_SUFFIX)]


class Timer:
    """Says when the next checkpoint is due."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._last = time.monotonic()

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._last >= self._seconds

    def restart(self) -> None:
        self._last = time.monotonic()


def _identity(trial: TrialConfig) -> Mapping[str, Any]:
    """What must be the same for a checkpoint to be this trial's: all but the attempt."""
    return {"configuration": trial.configuration.values(), "seed": trial.seed, "fold": trial.fold}

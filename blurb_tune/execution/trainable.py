"""What Ray Tune starts for a trial. Apart from `remote`, whose tasks need no Tune, which takes a second to import."""

from __future__ import annotations

from typing import Any

import ray
from ray import tune

from blurb_tune.execution.messages import TRIAL
from blurb_tune.execution.slot_settings import SlotSettings


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """Runs one trial after another in one process; each `step` trains to the next dev evaluation."""

    def setup(self, config: dict[str, Any], shared: tuple[ray.ObjectRef, SlotSettings] | None = None) -> None:
        from blurb_tune.execution.actor import Slot

        assert shared is not None, "tune.with_parameters hands it over"
        environment, settings = shared
        self._slot = Slot(ray.get(environment).under(settings), config[TRIAL])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._slot.begin(new_config[TRIAL])
        return True

    def step(self) -> dict[str, Any]:
        return self._slot.step()

    def cleanup(self) -> None:
        self._slot.cleanup()

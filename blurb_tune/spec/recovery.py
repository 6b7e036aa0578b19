"""The recovery section: what happens when processes are lost."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from blurb_tune.spec.dimensions import SpecModel


class RecoverySpec(SpecModel):
    """What happens when processes are lost."""

    checkpoint_minutes: Annotated[float, Field(ge=0)] | None = Field(
        5.0, description="training from one checkpoint of a trial to the next, from which it goes on; null: no checkpoints"
    )
    hang_minutes: Annotated[float, Field(gt=0)] | None = Field(
        30.0, description="a trial that does no step for so long is ended and tried once more; null: never"
    )

"""The resources section: what one trial gets, and how many run at a time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from blurb_tune.spec.dimensions import SpecModel

MIN_GPU = 1e-4  # Ray counts in these


class ResourcesSpec(SpecModel):
    """What one trial gets, and how many run at a time."""

    cpus: Annotated[int, Field(ge=1)] = Field(1, description="CPUs per trial; its threads are pinned to that many")
    gpus: Annotated[float, Field(ge=0)] = Field(0.0, description="GPUs per trial; 0.5 puts two trials on one GPU")
    concurrency: Annotated[int, Field(ge=1)] | None = Field(
        None, description="trials at a time; null: as many as the cluster has room for"
    )

    @model_validator(mode="after")
    def _whole_gpus(self) -> ResourcesSpec:
        if 0 < self.gpus < MIN_GPU:
            raise ValueError(f"a share of a GPU is at least {MIN_GPU}, but got {self.gpus}")
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"more than one GPU per trial must be a whole number, but got {self.gpus}")
        return self

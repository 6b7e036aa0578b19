"""The search section: how configurations are chosen."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from blurb_tune.spec.dimensions import SpecModel

MAX_EARLIER = 100


class SearchSpec(SpecModel):
    """How configurations are chosen."""

    sampler: Literal["tpe", "gp", "random", "quasi_random", "grid", "nsga2"] = Field(
        "tpe",
        description="Optuna's TPE, a Gaussian process, random draws, a Sobol sequence, every combination, or the genetic "
        "algorithm NSGA-II",
    )
    configurations: Annotated[int, Field(ge=1)] | None = Field(
        None, description="how many to try; null: all for grid, else 20"
    )
    seed: Annotated[int, Field(ge=0)] = Field(0, description="of the sampler and of the pruners' control group")
    warm_start: list[str] = Field(
        default_factory=list,
        max_length=MAX_EARLIER,
        description="folders of earlier sweeps, relative to the spec, whose results the sampler begins with; they are no "
        "candidates themselves",
    )
    startup_configurations: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="random ones before TPE or GP sets in; null: a quarter of all, 3 to 10, and one for each further model",
    )
    vanilla_first: bool = Field(
        True,
        description="begin with vanilla fine-tuning of each model where the space holds it, as the reference, and give it as "
        "many configurations as the average strategy",
    )

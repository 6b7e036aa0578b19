"""The tracking section: where the MLflow runs go."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from blurb_tune.spec.dimensions import SpecModel
from blurb_tune.spec.names import check_registered_name


class TrackingSpec(SpecModel):
    """Where the MLflow runs go."""

    uri: str | None = Field(
        None,
        description="tracking server, http://host:port; null: an SQLite store in the sweep's folder. `${NAME}`, here, in "
        "`study_url` and in `notify`, for all or a part, is the value of that environment variable: so no password is in "
        "the spec",
    )
    experiment: str | None = Field(None, min_length=1, description="MLflow experiment; null: blurb-tune/<task>")
    register_as: Annotated[str, AfterValidator(check_registered_name)] | None = Field(
        None,
        description="name in MLflow's registry: the winner's best run becomes a version of it when the sweep ends, with the "
        "alias `champion` where fresh seeds or the test split support it; null: nothing is registered",
    )
    study_url: str | None = Field(
        None,
        description="database that mirrors the Optuna study, for its dashboard; null: none. One that is away stops no sweep",
    )

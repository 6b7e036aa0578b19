"""Where a sweep's runs go in MLflow, by the spec in its folder."""

from __future__ import annotations

from pydantic import ValidationError

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.spec import SweepSpec
from blurb_tune.spec.earlier import modernize
from blurb_tune.spec.source import read_source
from blurb_tune.tracking.addresses import tracking_uri


def tracking_target(paths: SweepPaths, spec: SweepSpec) -> tuple[str, str]:
    """The tracking URI and the experiment's name."""
    return tracking_uri(paths, spec.tracking.uri), spec.tracking.experiment or f"blurb-tune/{spec.task_name}"


def spec_of(paths: SweepPaths) -> SweepSpec:
    """The spec of a sweep that is there. Raises BlurbTuneError when the file is none."""
    source = read_source(paths.spec)
    modernize(source.data)
    source.data.pop("pruning", None)  # not asked for here, and an earlier version's has other settings
    try:
        return SweepSpec.model_validate(source.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        fault = source.problem(first["loc"], first["msg"])
        raise BlurbTuneError(f"{fault.where}: this is not the spec of a sweep: {fault.what}") from None

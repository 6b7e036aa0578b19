"""The pruning section: which of Optuna's pruners, and when a run counts as unstable."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from blurb_tune.spec.dimensions import SpecModel

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class NoPruner(SpecModel):
    """Nothing is pruned as dominated."""

    kind: Literal["none"] = "none"


class MedianPruner(SpecModel):
    """Worse than the median of the earlier trials at the same evaluation."""

    kind: Literal["median"] = "median"
    n_startup_trials: Count = Field(5, description="trials that end before anything is pruned")
    n_warmup_steps: Count = Field(3, description="evaluations of a trial before it can be pruned")
    interval_steps: Positive = Field(1, description="evaluations between two looks")


class PercentilePruner(SpecModel):
    """Worse than this percentile of the earlier trials at the same evaluation."""

    kind: Literal["percentile"] = "percentile"
    percentile: Annotated[float, Field(gt=0, lt=100)] = Field(25.0, description="the best so many percent run on")
    n_startup_trials: Count = Field(5, description="trials that end before anything is pruned")
    n_warmup_steps: Count = Field(3, description="evaluations of a trial before it can be pruned")
    interval_steps: Positive = Field(1, description="evaluations between two looks")


class SuccessiveHalvingPruner(SpecModel):
    """Asynchronous successive halving (Li et al. 2018, arXiv 1810.05934)."""

    kind: Literal["successive_halving"] = "successive_halving"
    min_resource: Positive = Field(4, description="evaluations before the first rung")
    reduction_factor: Annotated[int, Field(ge=2)] = Field(3, description="one in so many passes a rung")
    min_early_stopping_rate: Count = Field(0, description="rungs to leave out at the beginning")
    bootstrap_count: Count = Field(0, description="trials that must reach a rung before any is pruned there")


class HyperbandPruner(SpecModel):
    """Several successive halvings side by side (Li et al. 2018, JMLR 18:185)."""

    kind: Literal["hyperband"] = "hyperband"
    min_resource: Positive = Field(1, description="evaluations before the first rung of the keenest bracket")
    max_resource: Positive | Literal["auto"] = Field("auto", description="evaluations of a whole trial")
    reduction_factor: Annotated[int, Field(ge=2)] = Field(3, description="one in so many passes a rung")


class PatientPruner(SpecModel):
    """No progress over the last evaluations."""

    kind: Literal["patient"] = "patient"
    patience: Positive = Field(5, description="evaluations without progress")
    min_delta: Annotated[float, Field(ge=0)] = Field(0.0, description="what counts as progress")


PRUNERS: dict[str, type[SpecModel]] = {
    "none": NoPruner,
    "median": MedianPruner,
    "percentile": PercentilePruner,
    "successive_halving": SuccessiveHalvingPruner,
    "hyperband": HyperbandPruner,
    "patient": PatientPruner,
}


def _kind(data: Any) -> str | None:
    if isinstance(data, dict):
        return str(data.get("kind"))
    return data if isinstance(data, str) else getattr(data, "kind", None)


class InstabilitySpec(SpecModel):
    """When a run is stopped as unstable. A rule must hold at `patience` evaluations in a row."""

    enabled: bool = Field(True, description="false: only a loss that is not finite ends a run")
    grace: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="share of a trial's steps before its loss or predictions can be held against it"
    )
    patience: Positive = Field(3, description="evaluations in a row at which a rule must hold")
    stuck_margin: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05, description="train loss must be this share below the trivial predictor's, or fall by it, or it is stuck"
    )
    constant_spread: Annotated[float, Field(ge=0)] = Field(
        0.01, description="predictions vary less than this share of what the labels do: constant"
    )
    exploding_gradient: Annotated[float, Field(gt=0)] = Field(
        1000.0, description="mean gradient norm before clipping above this: exploding"
    )


class PruningSpec(SpecModel):
    """Which runs are stopped early."""

    pruner: Annotated[
        Annotated[NoPruner, Tag("none")]
        | Annotated[MedianPruner, Tag("median")]
        | Annotated[PercentilePruner, Tag("percentile")]
        | Annotated[SuccessiveHalvingPruner, Tag("successive_halving")]
        | Annotated[HyperbandPruner, Tag("hyperband")]
        | Annotated[PatientPruner, Tag("patient")],
        Discriminator(_kind),
    ] = Field(MedianPruner(), description="stops dominated runs: a pruner's name, or a mapping with `kind` and its settings")
    instability: InstabilitySpec = InstabilitySpec()
    control_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1, description="share of pruned trials that run on to the end, to measure the pruners by"
    )
    keep_vanilla: bool = Field(True, description="vanilla, the reference, is never pruned as dominated")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        """`pruner: median`, `pruner: none` and `instability: false` are the short forms of mappings."""
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if isinstance(data.get("pruner"), str) and data["pruner"] in PRUNERS:
            data["pruner"] = {"kind": data["pruner"]}
        elif "pruner" in data and data["pruner"] is None:
            data["pruner"] = {"kind": "none"}
        if isinstance(data.get("instability"), bool):
            data["instability"] = {"enabled": data["instability"]}
        return data

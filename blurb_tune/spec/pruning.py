"""The pruning section: when a run counts as unstable, when a configuration has lost."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from blurb_tune.spec.dimensions import SpecModel

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]

# Configurations that a stock pruner compares one with, the latest that had results.
MOST_COMPARED = 200
Startup = Annotated[int, Field(ge=0, le=MOST_COMPARED)]


class NoPruner(SpecModel):
    """No stock pruner."""

    kind: Literal["none"] = "none"


class MedianPruner(SpecModel):
    """Worse than the median of the other configurations after as many seeds."""

    kind: Literal["median"] = "median"
    n_startup_trials: Startup = Field(5, description="other configurations with as many seeds before one is stopped")
    n_warmup_steps: Count = Field(2, description="seeds after which a configuration can first be stopped")
    interval_steps: Positive = Field(1, description="seeds between two pruning checks")


class PercentilePruner(SpecModel):
    """Worse than this percentile of the other configurations after as many seeds."""

    kind: Literal["percentile"] = "percentile"
    percentile: Annotated[float, Field(gt=0, lt=100)] = Field(25.0, description="the best so many percent run on")
    n_startup_trials: Startup = Field(5, description="other configurations with as many seeds before one is stopped")
    n_warmup_steps: Count = Field(2, description="seeds after which a configuration can first be stopped")
    interval_steps: Positive = Field(1, description="seeds between two pruning checks")


class SuccessiveHalvingPruner(SpecModel):
    """Asynchronous successive halving (Li et al. 2018, arXiv 1810.05934)."""

    kind: Literal["successive_halving"] = "successive_halving"
    min_resource: Positive = Field(1, description="seeds after which the first rung is")
    reduction_factor: Annotated[int, Field(ge=2)] = Field(3, description="one in so many passes a rung")
    min_early_stopping_rate: Annotated[int, Field(ge=0, le=100)] = Field(0, description="rungs to leave out at the beginning")
    bootstrap_count: Startup = Field(0, description="configurations that a rung stops before it lets any pass")


class HyperbandPruner(SpecModel):
    """Several successive halvings side by side (Li et al. 2018, JMLR 18:185)."""

    kind: Literal["hyperband"] = "hyperband"
    min_resource: Positive = Field(1, description="seeds after which the first rung is, of the most aggressive bracket")
    max_resource: Positive | Literal["auto"] = Field(
        "auto", description="seeds of a whole configuration; auto: those of the spec"
    )
    reduction_factor: Annotated[int, Field(ge=2)] = Field(3, description="one in so many passes a rung")


class PatientPruner(SpecModel):
    """The median pruner, asked only about a configuration whose objective has been below its best for some seeds.

    The best is that of two seeds or more: a single one has no spread.
    """

    kind: Literal["patient"] = "patient"
    patience: Count = Field(2, description="seeds below its best before the median decides")
    min_delta: Annotated[float, Field(ge=0)] = Field(0.0, description="a fall by less is none")
    n_startup_trials: Startup = Field(5, description="other configurations with as many seeds before one is stopped")
    n_warmup_steps: Count = Field(2, description="seeds after which a configuration can first be stopped")


class ThresholdPruner(SpecModel):
    """An objective below this after as many seeds."""

    kind: Literal["threshold"] = "threshold"
    lower: float = Field(description="the lowest objective that runs on")
    n_warmup_steps: Count = Field(2, description="seeds after which a configuration can first be stopped")
    interval_steps: Positive = Field(1, description="seeds between two pruning checks")


PRUNERS: dict[str, type[SpecModel]] = {
    "none": NoPruner,
    "median": MedianPruner,
    "percentile": PercentilePruner,
    "successive_halving": SuccessiveHalvingPruner,
    "hyperband": HyperbandPruner,
    "patient": PatientPruner,
    "threshold": ThresholdPruner,
}


def _kind(data: Any) -> str | None:
    if isinstance(data, dict):
        return str(data.get("kind"))
    return data if isinstance(data, str) else getattr(data, "kind", None)


class InstabilitySpec(SpecModel):
    """When a run is stopped as unstable. Rules count shares of a trial's steps, not evaluations."""

    enabled: bool = Field(True, description="false: only a loss that is not finite ends a run")
    grace: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="share of a trial's steps before it can be stopped as stuck at the trivial level"
    )
    window: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1, description="share of the steps over which a rule must hold, at two evaluations at least"
    )
    waking: Annotated[float, Field(gt=0)] = Field(
        0.05,
        description="predictions whose spread grows by this share over the window wake up, as a new best loss or score does",
    )
    exploding_gradient: Annotated[float, Field(gt=0)] = Field(
        1000.0, description="mean gradient norm before clipping above this: exploding"
    )


class RaceSpec(SpecModel):
    """When a configuration is stopped because it is worse than the leader: a group-sequential permutation test."""

    method: Literal["permutation", "none"] = Field("permutation", description="none: every configuration runs all its seeds")
    alpha: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="at most this share of configurations as good as the others are stopped, over all looks together"
    )
    min_seeds: Annotated[int, Field(ge=2)] = Field(3, description="seeds of a configuration before the first look")
    max_seeds: Annotated[int, Field(ge=2)] | None = Field(
        None, description="seeds at the last look, up to which `alpha` is spent; all of them by default"
    )

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.max_seeds is not None and self.max_seeds < self.min_seeds:
            raise ValueError(f"`max_seeds` ({self.max_seeds}) must be at least `min_seeds` ({self.min_seeds})")
        return self


class PruningSpec(SpecModel):
    """Which runs are stopped early."""

    pruner: Annotated[
        Annotated[NoPruner, Tag("none")]
        | Annotated[MedianPruner, Tag("median")]
        | Annotated[PercentilePruner, Tag("percentile")]
        | Annotated[SuccessiveHalvingPruner, Tag("successive_halving")]
        | Annotated[HyperbandPruner, Tag("hyperband")]
        | Annotated[PatientPruner, Tag("patient")]
        | Annotated[ThresholdPruner, Tag("threshold")],
        Discriminator(_kind),
    ] = Field(
        NoPruner(),
        description="a stock pruner over configurations, by their objective after as many seeds: its name, or a mapping with "
        f"`kind` and its settings; each is compared with the latest {MOST_COMPARED}",
    )
    instability: InstabilitySpec = InstabilitySpec()
    race: RaceSpec = RaceSpec()
    control_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1, description="share of stopped runs and configurations that go on to the end, to measure the stops by"
    )
    keep_vanilla: bool = Field(
        True,
        description="vanilla, the reference, is never stopped by a stock pruner; where the race stopped it, it goes on at the "
        "end, unless `confirm` compares it with the winner",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        """`pruner: median`, `race: none` and `instability: false` are the short forms of mappings."""
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if isinstance(data.get("pruner"), str) and data["pruner"] in PRUNERS:
            data["pruner"] = {"kind": data["pruner"]}
        elif "pruner" in data and data["pruner"] is None:
            data["pruner"] = {"kind": "none"}
        if isinstance(data.get("instability"), bool):
            data["instability"] = {"enabled": data["instability"]}
        if isinstance(data.get("race"), str) and data["race"] in ("permutation", "none"):
            data["race"] = {"method": data["race"]}
        return data

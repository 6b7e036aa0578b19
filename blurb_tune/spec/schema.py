"""A sweep's spec, of all its sections, with the default of every setting."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from blurb_tune.spec.budget import BudgetSpec
from blurb_tune.spec.dimensions import Options, SpecModel, values_of
from blurb_tune.spec.names import FileName, Head
from blurb_tune.spec.pruning import PruningSpec
from blurb_tune.spec.recovery import RecoverySpec
from blurb_tune.spec.resources import ResourcesSpec
from blurb_tune.spec.search import SearchSpec
from blurb_tune.spec.seeds import MAX_CROSSED, CrossedCount, Seeds
from blurb_tune.spec.space import SpaceSpec
from blurb_tune.spec.task import TaskSpec
from blurb_tune.spec.tracking import TrackingSpec
from blurb_tune.spec.training import TrainingSpec
from blurb_tune.stats.objectives import OBJECTIVES, format_objective, parse

MAX_CONFIRM = 1_000
MAX_MODELS = 100


def _few(models: Any) -> Any:
    if len(values_of(models) or ()) > MAX_MODELS:
        raise ValueError(f"expected at most {MAX_MODELS} models, but got {len(values_of(models) or ())}")
    return models


def _objective(value: Any) -> Any:
    """As it is written in one word."""
    if isinstance(value, dict):
        settings = dict(value)
        kind = settings.pop("kind", None)
        if not isinstance(kind, str):
            raise ValueError(f"expected a mapping such as {{kind: quantile, q: 0.1}}, but got {value!r}")
        return format_objective(kind, settings)
    return format_objective(*parse(value)) if isinstance(value, str) else value


def _task_shape(data: Any) -> str:
    return "custom" if isinstance(data, dict | TaskSpec) else "named"


class SweepSpec(SpecModel):
    """A sweep: which task and model, what is searched, how it is judged, and where it runs."""

    name: FileName = Field(description="of the sweep; left out: the spec's file name")
    task: Annotated[
        Annotated[str, Field(min_length=1), Tag("named")] | Annotated[TaskSpec, Tag("custom")], Discriminator(_task_shape)
    ] = Field(description="see `blurb-tune tasks`; or a mapping that describes a custom task")
    model: Annotated[Options[Annotated[str, Field(min_length=1)]], AfterValidator(_few)] = Field(
        description="see `blurb-tune models`; or a folder, relative to the spec, or a hub id; a choice of several is an axis "
        "of the search"
    )
    data: str | None = Field(
        None,
        description="a named task's data: a folder, relative to the spec, or a hub data set, `hf://owner/name`; null: "
        "BLURB_DATA_DIR, then the hub",
    )
    base: str | None = Field(
        None,
        min_length=1,
        description="folder at which relative paths of this spec begin; null: the one that the spec lies in",
    )
    metric: str | None = Field(None, description="what is maximized on dev; null: the task's own metric")
    score: Literal["final", "best"] = Field("final", description="a trial's dev score: of its last evaluation, or of its best")
    objective: Annotated[str, BeforeValidator(_objective)] = Field(
        "mean_minus_std",
        description="what makes one number of a configuration's seeds: a name, or a mapping with `kind` and its setting; "
        + "; ".join(f"`{name}`, {of.meaning}" for name, of in OBJECTIVES.items()),
    )
    max_failed_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="share of failed seeds beyond which a configuration is infeasible: to the sampler, and to be the best"
    )
    seeds: Seeds = Field(
        default_factory=lambda: list(range(5)),
        description="a count, a list of seeds, or `{init: 5, order: 5}`, which crosses seeds of the initialization with seeds "
        "of the data order and dropout, and says which of them scores depend on",
    )
    crossed: Annotated[list[CrossedCount], Field(min_length=2, max_length=2)] | None = Field(
        None, description="set by `seeds`: how many seeds of the initialization and of the data order are crossed"
    )
    confirm: Annotated[int, Field(ge=0, le=MAX_CONFIRM)] = Field(
        0,
        description="fresh seeds of winner and vanilla when all is decided; no decision has seen them, so their mean is fair",
    )
    retries: Annotated[int, Field(ge=0)] = Field(
        1,
        description="times a trial is tried again that a disk, a network or a device failed; one whose process was lost "
        "always is, one that ran out of memory once with half the micro-batch, one that an error in the code ended never",
    )
    stop_after_errors: Annotated[int, Field(ge=1)] | None = Field(
        5, description="trials in a row whose error stops the sweep, which the same command resumes; null: it always goes on"
    )
    search: SearchSpec = SearchSpec()
    space: SpaceSpec = SpaceSpec()
    pruning: PruningSpec = PruningSpec()
    budget: BudgetSpec = BudgetSpec()
    training: TrainingSpec = TrainingSpec()
    resources: ResourcesSpec = ResourcesSpec()
    recovery: RecoverySpec = RecoverySpec()
    tracking: TrackingSpec = TrackingSpec()
    final_test: bool = Field(
        True, description="read the test split once, at the end, for the best configuration and for vanilla"
    )
    keep_weights: Literal["winner", "all"] = Field(
        "winner",
        description="whose weights are left in the end: those of the winner's runs, with `final_test`, or those of every run, "
        "of which soups of several configurations are made",
    )
    storage: str | None = Field(
        None,
        description="where sweeps are kept: a folder, relative to the spec, which all nodes of a cluster share, or an object "
        "store (s3://bucket/path, gs://bucket/path); null: `runs` in the working folder",
    )
    priority: Annotated[float, Field(gt=0, le=100)] = Field(
        1.0, description="share of a cluster's slots beside other sweeps: one of 2 gets twice as many as one of 1"
    )
    notify: Annotated[str, Field(pattern="^https?://")] | None = Field(
        None, description="address that is sent the status as JSON when a submitted sweep ends"
    )
    cluster: Head | None = Field(
        None, description="address of a Ray cluster's head, host:port or auto; null: a local one is started"
    )

    @model_validator(mode="before")
    @classmethod
    def _cross(cls, data: Any) -> Any:
        """`seeds: {init: a, order: b}` is a * b seeds and their shape."""
        if not isinstance(data, dict) or not isinstance(data.get("seeds"), dict):
            return data
        counts = data["seeds"].get("init"), data["seeds"].get("order")
        is_known = data["seeds"].keys() == {"init", "order"}
        if not is_known or not all(type(count) is int and 2 <= count <= MAX_CROSSED for count in counts):
            return data  # which the seeds' own check refuses
        return data | {"seeds": counts[0] * counts[1], "crossed": list(counts)}

    @model_validator(mode="after")
    def _is_crossed(self) -> SweepSpec:
        if self.crossed is not None and self.seeds != list(range(self.crossed[0] * self.crossed[1])):
            raise ValueError("crossed seeds are those of their pairs: leave `crossed` out, or `seeds` as it is")
        return self

    @model_validator(mode="after")
    def _has_spread(self) -> SweepSpec:
        if self.objective == "pareto" and len(self.seeds) < 2:
            raise ValueError("the objective `pareto` needs a standard deviation, and so two seeds, but got one")
        return self

    @model_validator(mode="after")
    def _has_gpus(self) -> SweepSpec:
        idle = [name for name in ("cuda_graphs", "prefix_gpu_gb") if getattr(self.training, name) and not self.resources.gpus]
        if idle:
            raise ValueError("; ".join(f"`training.{name}` has no effect without `resources.gpus`" for name in idle))
        return self

    @model_validator(mode="after")
    def _keeps_weights(self) -> SweepSpec:
        if self.tracking.register_as is not None and not self.final_test:
            raise ValueError("`tracking.register_as` needs the winner's weights, which are kept with `final_test: true`")
        return self

    @property
    def task_name(self) -> str:
        """What the task is called."""
        return self.task.title if isinstance(self.task, TaskSpec) else self.task

    @property
    def keeps_weights(self) -> bool:
        """Whether runs leave their weights at all."""
        return self.final_test or self.keep_weights == "all"

    @property
    def models(self) -> tuple[str, ...]:
        """The names of all models, in the spec's order."""
        return tuple(values_of(self.model) or ())

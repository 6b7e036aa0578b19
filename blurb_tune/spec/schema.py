"""The sections of a sweep's spec, with the default of every setting."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from blurb_tune.spec.budget import BudgetSpec
from blurb_tune.spec.dimensions import Options, SpecModel, repeated, values_of
from blurb_tune.spec.names import FileName, Head
from blurb_tune.spec.pruning import PruningSpec
from blurb_tune.spec.space import SpaceSpec
from blurb_tune.spec.task import TaskSpec
from blurb_tune.stats.objectives import OBJECTIVES, format_objective, parse

MAX_MODEL_NAME = 200
MAX_SEEDS = 10_000
MAX_CONFIRM = 1_000
MAX_CROSSED = 100
MAX_EARLIER = 100
MAX_MODELS = 100
MIN_GPU = 1e-4  # Ray counts in these
_MOST_SHOWN = 10


def registered_name(name: str) -> str:
    """A name in MLflow's registry. Raises ValueError for what is none: an address has it, and a search quotes it."""
    if not name.strip() or len(name) > MAX_MODEL_NAME or any(c in "/:'\"%" or not c.isprintable() for c in name):
        signs = "without '/', ':', '%' and quotes"
        raise ValueError(f"expected a name of 1 to {MAX_MODEL_NAME} characters {signs}, but got {name!r}")
    return name


def _seed_list(value: Any) -> Any:
    if isinstance(value, dict):
        shape = f"`{{init: 5, order: 5}}`, each from 2 to {MAX_CROSSED}"
        raise ValueError(f"expected how many seeds, a list of them, or {shape}, but got {value!r}")
    if isinstance(value, str | bool | float | None):
        raise ValueError(f"expected how many seeds, or a list of them, but got {value!r}")
    if isinstance(value, int):
        if not 1 <= value <= MAX_SEEDS:
            limit = "at least one seed" if value < 1 else f"at most {MAX_SEEDS:,} seeds"
            raise ValueError(f"expected {limit}, but got {value}")
        return list(range(value))
    return value


def _steps_or_epoch(value: Any) -> Any:
    is_steps = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if value != "epoch" and not is_steps:
        raise ValueError(f"expected `epoch` or a number of steps, 1 or more, but got {value!r}")
    return value


def _distinct(seeds: list[int]) -> list[int]:
    if twice := sorted(set(repeated(seeds))):
        more = ["..."] if len(twice) > _MOST_SHOWN else []
        raise ValueError(f"seeds must differ, but {', '.join([*map(str, twice[:_MOST_SHOWN]), *more])} stands more than once")
    return seeds


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


Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**63)]],
    Field(min_length=1, max_length=MAX_SEEDS),
    AfterValidator(_distinct),
    BeforeValidator(_seed_list),
]


CrossedCount = Annotated[int, Field(ge=2, le=MAX_CROSSED)]


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


class TrainingSpec(SpecModel):
    """What all trials have in common."""

    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 autocast on CUDA and on CPUs with avx512_bf16 or amx, else fp32"
    )
    eval_every: Annotated[Literal["epoch"] | int, BeforeValidator(_steps_or_epoch)] = Field(
        "epoch", description="dev is evaluated every epoch, or every so many steps"
    )
    max_length: Annotated[int, Field(ge=8)] | None = Field(None, description="tokens per example; null: the task's default")
    micro_batch_size: Annotated[int, Field(ge=1)] | None = Field(
        None, description="examples per forward pass, gradients add up to batch_size; null: all at once"
    )
    eval_batch_size: Annotated[int, Field(ge=1)] = Field(64, description="examples per forward pass on dev")
    frozen_dropout: bool = Field(
        False,
        description="frozen blocks have dropout like those that learn; false: they are a feature extractor, whose output is "
        "computed once",
    )
    prefix_cache_gb: Annotated[float, Field(ge=0)] = Field(
        20.0, description="disk on each node for that output, in GB; what does not fit is recomputed in each step"
    )
    gradient_checkpointing: bool = Field(
        False, description="trades time for memory: activations are recomputed in the backward pass"
    )
    early_stopping_patience: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="a trial ends when its dev score has not improved for so many evaluations, with its best one (so `score: "
        "best` must be set); it counts as any trial that ran to its end. null: never",
    )
    early_stopping_threshold: Annotated[float, Field(ge=0)] = Field(
        0.0, description="a dev score must be above the best one by more than this to be an improvement"
    )

    def digested(self) -> dict[str, Any]:
        """What digests of a sweep are made of: all that numbers depend on. Early stopping is left out where there is none, so
        that a sweep of an earlier version can be taken up."""
        content = self.model_dump(mode="json", exclude={"prefix_cache_gb"})
        if self.early_stopping_patience is None:
            del content["early_stopping_patience"], content["early_stopping_threshold"]
        return content

    @model_validator(mode="after")
    def _has_no_idle_threshold(self) -> TrainingSpec:
        if self.early_stopping_threshold and self.early_stopping_patience is None:
            raise ValueError("`early_stopping_threshold` has no effect without `early_stopping_patience`")
        return self


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


class TrackingSpec(SpecModel):
    """Where the MLflow runs go."""

    uri: str | None = Field(
        None,
        description="tracking server, http://host:port; null: an SQLite store in the sweep's folder. `${NAME}`, here, in "
        "`study_url` and in `notify`, for all or a part, is the value of that environment variable: so no password is in "
        "the spec",
    )
    experiment: str | None = Field(None, min_length=1, description="MLflow experiment; null: blurb-tune/<task>")
    register_as: Annotated[str, AfterValidator(registered_name)] | None = Field(
        None,
        description="name in MLflow's registry: the winner's best run becomes a version of it when the sweep ends, with the "
        "alias `champion` where fresh seeds or the test split support it; null: nothing is registered",
    )
    study_url: str | None = Field(
        None, description="database that mirrors the Optuna study, for its dashboard; null: in memory, remade from the log"
    )


class RecoverySpec(SpecModel):
    """What happens when processes are lost."""

    checkpoint_minutes: Annotated[float, Field(ge=0)] | None = Field(
        5.0, description="training from one checkpoint of a trial to the next, from which it goes on; null: no checkpoints"
    )
    hang_minutes: Annotated[float, Field(gt=0)] | None = Field(
        30.0, description="a trial that does no step for so long is ended and tried once more; null: never"
    )


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

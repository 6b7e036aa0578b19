"""The plain, frozen data that describes one trial: what it tries, what it measures, how it ends.

Only these types (and numpy arrays) cross from the driver to an actor and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from blurb_tune.techniques.registry import AXES, active

T = TypeVar("T")


def _with_axes(cls: type[T]) -> type[T]:
    """Give a class a field for each axis of the techniques, behind its `model` if it has one."""
    own = dict(cls.__annotations__)
    first = {name: own.pop(name) for name in ("model",) if name in own}
    cls.__annotations__ = first | {name: axis.type.__name__ for name, axis in AXES.items()} | own
    for name, axis in AXES.items():
        setattr(cls, name, axis.neutral)
    return cls


@dataclass(frozen=True, order=True)
@_with_axes
class Strategy:
    """How a run is stabilized: a field for each axis of each technique (`techniques/registry.py`), neutral by default."""

    if TYPE_CHECKING:

        def __init__(self, **values: Any) -> None: ...

    @property
    def is_vanilla(self) -> bool:
        return self == Strategy()

    @property
    def family(self) -> str:
        """The techniques at work, such as `freeze+decay`, or `vanilla` for none."""
        return "+".join(technique.name for technique in active(vars(self))) or "vanilla"

    @property
    def label(self) -> str:
        """A short unique name, such as `freeze 4 + decay 0.8`; settings of a technique are in it that are not the default."""
        parts = []
        for technique in active(vars(self)):
            first, *settings = technique.axes
            said = [axis for axis in settings if getattr(self, axis.name) != axis.neutral]
            parts.append(" ".join(axis.label(getattr(self, axis.name)) for axis in (first, *said)))
        return " + ".join(parts) or "vanilla"


@dataclass(frozen=True)
@_with_axes
class Configuration:
    """One point of the search space: a model, a strategy and its optimization settings.

    model: as the spec names it. Then come the fields of `Strategy`. learning_rate: peak rate of the head. batch_size: examples
    per optimizer step. epochs: passes over the training set. warmup_share: share of the steps with rising rate. weight_decay:
    decoupled. bias_correction: Adam's; off reproduces BERTAdam. max_grad_norm: clipping
    threshold, None for no clipping. lr_scheduler_type: how the rate goes on behind the warm-up: `linear`, `cosine` (both to 0)
    or `constant`. adam_beta1, adam_beta2, adam_epsilon: Adam's; epsilon None is 1e-8, or BERTAdam's 1e-6. no_weight_decay:
    what has none, `bias_and_layer_norm`, `layer_norm` or `none`. label_smoothing_factor: share of each label that is spread
    evenly over all classes. hidden_dropout_prob, attention_probs_dropout_prob, classifier_dropout: dropout of embeddings and
    blocks, of the attention's weights, and of the head; None is what the model's config says.
    """

    model: str = ""
    learning_rate: float = 5e-5
    batch_size: int = 16
    epochs: int = 20
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    bias_correction: bool = True
    max_grad_norm: float | None = 1.0
    lr_scheduler_type: str = "linear"
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float | None = None
    no_weight_decay: str = "bias_and_layer_norm"
    label_smoothing_factor: float = 0.0
    hidden_dropout_prob: float | None = None
    attention_probs_dropout_prob: float | None = None
    classifier_dropout: float | None = None

    if TYPE_CHECKING:

        def __init__(self, **values: Any) -> None: ...

    @cached_property
    def strategy(self) -> Strategy:
        return Strategy(**{name: getattr(self, name) for name in STRATEGY_NAMES})

    def values(self) -> dict[str, Any]:
        """All hyperparameters by name, in the order of the fields."""
        return asdict(self)


STRATEGY_NAMES = tuple(AXES)
HYPERPARAMETER_NAMES = tuple(f.name for f in fields(Configuration))


@dataclass(frozen=True)
class TrialConfig:
    """One configuration with one seed, on one fold where the sweep cross-validates (`fold` counts from 0).

    `attempt` counts from 1 and grows when an errored or lost trial is run again. halvings: how often its examples per forward
    pass were halved because memory ran out.
    """

    trial_id: str
    configuration_id: str
    configuration: Configuration
    seed: int
    attempt: int = 1
    fold: int | None = None
    halvings: int = 0


def trial_name(configuration_id: str, seed: int, fold: int | None) -> str:
    """The id of the trial that runs this replicate of a configuration."""
    return f"{configuration_id}-s{seed}" + ("" if fold is None else f"-f{fold}")


@dataclass(frozen=True)
class Work:
    """What a slot takes up at a time: one configuration with one or more of its replicates, which begin together."""

    trials: tuple[TrialConfig, ...]

    @property
    def configuration(self) -> Configuration:
        return self.trials[0].configuration

    def __post_init__(self) -> None:
        if len({trial.configuration_id for trial in self.trials}) != 1:
            raise ValueError("a piece of work is of one configuration")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a trial reports at one evaluation.

    step: optimizer steps so far. epoch: passes over the training set so far. dev_score: the task's metric on dev, NaN where
    it is undefined. dev_loss: mean loss on dev. train_loss: mean loss since the last measurement. grad_norm: mean gradient
    norm before clipping since the last measurement. prediction_spread: how much the dev predictions vary over how much the
    labels do, both as standard deviations (regression) or as shares outside the most frequent class, tag or set of labels, or
    for metrics that rank as the log odds do (`tasks.metrics.Evaluation`); 0 means constant predictions. learning_rate: the
    head's at this step. train_seconds and eval_seconds: since the trial began. micro_batch_size: most examples of a forward
    pass in training, less than asked for where memory ran out. extra: further dev metrics by name.
    """

    step: int
    epoch: float
    dev_score: float
    dev_loss: float
    train_loss: float
    grad_norm: float
    prediction_spread: float
    learning_rate: float
    train_seconds: float
    eval_seconds: float
    micro_batch_size: int = 0
    extra: Mapping[str, float] = field(default_factory=dict)


class Cause(StrEnum):
    """What made a trial error, by which it is tried again or not.

    code: never, the same would happen again. memory: once more, with half as many examples at a time. machine (a disk, a
    network, a device): as often as `retries` says. hang (no step for longer than `recovery.hang_minutes`): once more.
    """

    CODE = "code"
    MEMORY = "memory"
    MACHINE = "machine"
    HANG = "hang"


class Outcome(StrEnum):
    """How a trial ended."""

    COMPLETED = "completed"
    COLLAPSED = "collapsed"
    DIVERGED = "diverged"
    PRUNED_UNSTABLE = "pruned_unstable"
    PRUNED_UNDERPERFORMING = "pruned_underperforming"
    ERRORED = "errored"

    @property
    def is_failed(self) -> bool:
        """A failed run is a result of its strategy and counts in the statistics (Mosbach 2021, arXiv 2006.04884)."""
        return self in (Outcome.COLLAPSED, Outcome.DIVERGED, Outcome.PRUNED_UNSTABLE)

    @property
    def is_pruned(self) -> bool:
        return self in (Outcome.PRUNED_UNSTABLE, Outcome.PRUNED_UNDERPERFORMING)


@dataclass(frozen=True)
class Continue:
    """Let the trial run on."""


@dataclass(frozen=True)
class Prune:
    """Stop the trial. `rule` is the pruner's or check's name, `reason` a sentence with the numbers."""

    outcome: Outcome
    rule: str
    reason: str

    def __post_init__(self) -> None:
        if not self.rule or not self.reason:
            raise ValueError("a prune decision needs a rule and a reason")


Decision = Continue | Prune


@dataclass(frozen=True)
class TrialReport:
    """What an actor hands to the driver after each piece of work: a measurement, an ending, or both.

    outcome and reason are set on the last report only. error is the remote traceback of an errored trial, cause what made it
    so, worker the `node:pid` that ran it, where a node is `host/` and the beginning of Ray's id. stopped_early: it ended
    before its last step, since its dev score no longer improved. resumed_seconds: see `log.events.Measured`.
    """

    measurement: Measurement | None = None
    outcome: Outcome | None = None
    reason: str = ""
    error: str = ""
    worker: str = ""
    cause: Cause = Cause.MACHINE
    stopped_early: bool = False
    resumed_seconds: float = 0.0


def node_of(worker: str) -> str:
    """Of a `node:pid`, the node."""
    return worker.rpartition(":")[0]

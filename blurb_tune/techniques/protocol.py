"""What a technique declares, and what it does in a trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import torch

Value = int | float | bool | str


@dataclass(frozen=True)
class Axis:
    """A hyperparameter that a technique brings.

    name: in specs, tables and logs. type: int, float, bool or str. neutral: the value that leaves fine-tuning as it is; for a
    setting of a technique, an axis behind its first one, the default. word: in a strategy's name, such as `freeze` in
    `freeze 4`. meaning: for docs/spec.md. low, high: bounds, for numbers; open_low, open_high: these are no values themselves.
    choices: the values of a text, the neutral one first. up_to_blocks: it counts encoder blocks, of which the model has L.
    """

    name: str
    type: type[Value]
    neutral: Any
    word: str
    meaning: str
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    choices: tuple[str, ...] = ()
    up_to_blocks: bool = False

    def distance(self, value: Any) -> float:
        """How far a value is from the neutral one, which orders values: farther ones leave other techniques less room."""
        if self.type is str:
            return self.choices.index(value)
        return abs(float(value) - float(self.neutral))

    def fault(self, value: Any) -> str | None:
        """The rule that a value out of bounds breaks."""
        if self.type is str:
            return (
                None if value in self.choices else f"{self.name} must be one of {', '.join(self.choices)}, but got {value!r}"
            )
        low, high = -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
        is_above = value > low if self.open_low else value >= low
        is_below = value < high if self.open_high else value <= high
        return None if is_above and is_below else f"`{self.rule}` must hold"

    @property
    def rule(self) -> str:
        """Its bounds, such as `0 < decay_rate <= 1`."""
        low = "" if self.low is None else f"{self.low:g} {'<' if self.open_low else '<='} "
        return f"{low}{self.name}" + ("" if self.high is None else f" {'<' if self.open_high else '<='} {self.high:g}")

    def label(self, value: Any) -> str:
        """Such as `freeze 4`, `decay 0.8`, `bitfit`."""
        if self.type is bool:
            return self.word
        return f"{self.word} {value:.4g}" if self.type is float else f"{self.word} {value}"


@dataclass(frozen=True)
class Citation:
    """The paper that a technique is from. key: in BibTeX. author: as BibTeX has it. eprint: its number in arXiv."""

    key: str
    author: str
    year: int
    eprint: str


class Generator(Protocol):
    """Random numbers of a technique's own, which depend on the trial's seed alone."""

    def draw(self, shape: tuple[int, ...], p: float) -> tuple[torch.Tensor, float]:
        """Which elements stay, as bools on the CPU, when each is dropped with probability `p`; and 1 / (1 - p)."""

    def uniform(self, count: int) -> torch.Tensor:
        """Numbers from 0 to below 1, float64 of shape (count,), on the CPU."""

    def state(self) -> torch.Tensor:
        """Where it stands."""

    def load(self, state: torch.Tensor) -> None:
        """Go on where `state` was taken."""


class LayerRef(Protocol):
    """level: 0 embeddings, 1..L the blocks from the lowest, L + 1 pooler and head."""

    @property
    def level(self) -> int: ...


class Layers(Protocol):
    """Where a classifier's parameters and modules belong: `models.layers.LayerMap`."""

    @property
    def blocks(self) -> int: ...

    @property
    def refs(self) -> Mapping[str, LayerRef]: ...

    @property
    def pooler_modules(self) -> tuple[str, ...]: ...

    @property
    def projections(self) -> tuple[str, ...]: ...

    def layer_of(self, parameter: str) -> LayerRef: ...

    def block_modules(self, block: int) -> tuple[str, ...]: ...


@dataclass(eq=False)
class Subject:
    """A classifier with pretrained weights and a fresh head, at the beginning of a trial.

    map_layers: finds the layers of its parameters again, where a technique has changed its modules; done when all are ready.
    pretrained: the parameters that have pretrained weights, by name; a technique that re-initializes some takes them out.
    steps, steps_per_epoch: optimizer steps of the whole trial, and of an epoch. divergence: how far apart two outputs of the
    model are (`tasks.kind.Kind.divergence`). initialize: draws the weights of a module as its family initializes them, from
    the trial's seed. has_weight_decay: whether the optimizer's settings give a parameter any. generator: random numbers for
    the technique alone, by name. rate_factor: what the techniques that have prepared the model say of a parameter's learning
    rate; 0 is frozen.
    """

    model: torch.nn.Module
    map_layers: Callable[[], Layers]
    pretrained: set[str]
    steps: int
    steps_per_epoch: int
    divergence: Callable[[torch.Tensor, torch.Tensor, Sequence[int] | None], torch.Tensor]
    initialize: Callable[[str], None]
    has_weight_decay: Callable[[str], bool]
    generator: Callable[[str], Generator]
    rate_factor: Callable[[str], float] = lambda parameter: 1.0
    layers: Layers = field(init=False)

    def __post_init__(self) -> None:
        self.layers = self.map_layers()


class Technique:
    """A way to stabilize fine-tuning; an object of it is at work in one trial, with its axes as attributes.

    A trial makes one of each technique whose first axis is not neutral, in the order of the registry, and calls `prepare` when
    the pretrained weights are restored and the head is initialized. Every other method does nothing, unless a technique says
    so. What a method does must depend on its arguments and on the subject's generator alone, and all that the next step
    depends on be in `state`: then a trial's numbers are the same wherever it runs, and after an interruption.

    name: in a strategy's family, such as `freeze+decay`. doing, example: what it is, for sentences, and a dimension to try.
    axes: the first says whether it is at work; the others are settings that have no effect while it is not. after: techniques
    that must have prepared the model before. excludes: techniques with which it cannot be combined. citation: its paper.
    adds_weights: what learns are weights of its own beside the model's, initialized for each run.
    """

    name: ClassVar[str]
    doing: ClassVar[str]
    example: ClassVar[str]
    axes: ClassVar[tuple[Axis, ...]]
    citation: ClassVar[Citation]
    after: ClassVar[tuple[str, ...]] = ()
    excludes: ClassVar[tuple[str, ...]] = ()
    adds_weights: ClassVar[bool] = False

    def __init__(self, values: Mapping[str, Any]):
        for axis in self.axes:
            setattr(self, axis.name, values[axis.name])

    @classmethod
    def is_active(cls, values: Mapping[str, Any]) -> bool:
        """Whether it is at work in a strategy."""
        return bool(values[cls.axes[0].name] != cls.axes[0].neutral)

    @classmethod
    def conflict(cls, values: Mapping[str, Any], blocks: float) -> str | None:
        """The rule that a technique at work and another axis break together, in a model with so many blocks.

        Monotone: values that are nearer to the neutral ones never break a rule that others keep.
        """
        return None

    @classmethod
    def cost(cls, values: Mapping[str, Any], blocks: int) -> int:
        """What a step costs with it, in blocks that learn, given what it costs without."""
        return blocks

    @staticmethod
    def restore(model: torch.nn.Module) -> None:
        """Give a model back the modules that it was built with, whatever trial has had it before."""

    def prepare(self, subject: Subject) -> None:
        """Make the model ready for the first step."""

    def rate_factor(self, parameter: str) -> float:
        """The factor on a parameter's learning rate; 0 is frozen for the whole trial."""
        return 1.0

    def has_weight_decay(self, parameter: str) -> bool:
        """Whether the optimizer's weight decay may be on a parameter."""
        return True

    @property
    def passes(self) -> int:
        """Forward passes of each batch, whose losses are averaged."""
        return 1

    def penalty(self, outputs: Sequence[torch.Tensor], sizes: Sequence[int] | None) -> torch.Tensor | None:
        """What the loss has besides, a mean over units.

        outputs: (units, outputs) of each pass. sizes: how many units each example has, where that is not one.
        """
        return None

    def before_step(self, step: int) -> None:
        """Called before the forward pass of step 1, 2, ..."""

    def resting(self, others: Collection[str]) -> Collection[str]:
        """The parameters that stay as they are in the step that has begun: they have no gradient, and their moments rest.

        others: those that the techniques before it let rest.
        """
        return ()

    def after_backward(self) -> None:
        """Called when a step's gradients are there."""

    def before_update(self, rates: Mapping[str, float]) -> None:
        """Called when they have been clipped; rates: the learning rates of the step, by parameter."""

    def after_step(self) -> None:
        """Called when the weights have been updated."""

    def export(self, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The weights that are tested and kept, with the names of a plain classifier's."""
        return weights

    def state(self) -> dict[str, torch.Tensor]:
        """All that it knows of the steps so far, on the CPU."""
        return {}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on where `state` was taken."""

    def report(self) -> dict[str, float]:
        """What is measured of it at an evaluation, by name."""
        return {}

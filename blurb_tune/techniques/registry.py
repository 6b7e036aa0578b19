"""All techniques, in the order in which they prepare a model; to add one is to add its line here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import Any

from blurb_tune.techniques.bitfit import BitFit
from blurb_tune.techniques.child_tuning import ChildTuning
from blurb_tune.techniques.decay import LayerwiseDecay
from blurb_tune.techniques.dynamics import DynamicFreezing
from blurb_tune.techniques.freezing import Freezing
from blurb_tune.techniques.lora import LoRA
from blurb_tune.techniques.mixout import Mixout
from blurb_tune.techniques.pretrained_decay import PretrainedDecay
from blurb_tune.techniques.protocol import Axis, Technique
from blurb_tune.techniques.rdrop import RDrop
from blurb_tune.techniques.reinitialization import Reinitialization
from blurb_tune.techniques.unfreezing import GradualUnfreezing

TECHNIQUES: tuple[type[Technique], ...] = (
    Freezing,
    LayerwiseDecay,
    Reinitialization,
    Mixout,
    PretrainedDecay,
    BitFit,
    GradualUnfreezing,
    LoRA,
    RDrop,
    ChildTuning,
    DynamicFreezing,
)


def check_order(techniques: Iterable[type[Technique]]) -> None:
    """Raise ValueError unless names are unique, and every technique stands behind those that it comes after or excludes."""
    known: set[str] = set()
    for technique in techniques:
        if technique.name in known:
            raise ValueError(f"two techniques are called {technique.name!r}")
        if early := [name for name in (*technique.after, *technique.excludes) if name not in known]:
            raise ValueError(f"{technique.name} must stand behind {', '.join(early)} in the registry")
        known.add(technique.name)


check_order(TECHNIQUES)
AXES: Mapping[str, Axis] = {axis.name: axis for technique in TECHNIQUES for axis in technique.axes}
# Of each setting of a technique, the axis without which it has no effect.
SETTING_OF: Mapping[str, Axis] = {axis.name: of.axes[0] for of in TECHNIQUES for axis in of.axes[1:]}
NEUTRAL: Mapping[str, Any] = {name: axis.neutral for name, axis in AXES.items()}


def active(values: Mapping[str, Any]) -> list[type[Technique]]:
    """The techniques at work in a strategy, in their order; values: of all axes."""
    return [technique for technique in TECHNIQUES if technique.is_active(values)]


def step_cost(values: Mapping[str, Any], blocks: int) -> int:
    """What a step of a strategy costs, in blocks that learn, where one of vanilla fine-tuning costs so many."""
    return reduce(lambda cost, technique: technique.cost(values, cost), active(values), blocks)


def is_neutral(axis: str, values: Mapping[str, Any]) -> bool:
    """Whether a setting has no effect, since its technique is not at work."""
    return axis in SETTING_OF and values[SETTING_OF[axis].name] == SETTING_OF[axis].neutral


def conflicts(values: Mapping[str, Any], blocks: float) -> Iterator[str]:
    """The rules that a strategy breaks in a model with so many blocks, each a formula or a sentence's end."""
    for name, axis in AXES.items():
        if axis.up_to_blocks and values[name] > blocks:
            yield f"`{name} <= {blocks:g}` must hold"
        if is_neutral(name, values) and values[name] != axis.neutral:
            yield f"`{name}` has no effect without `{SETTING_OF[name].name}`"
    at_work = active(values)
    names = {technique.name: technique for technique in at_work}
    for technique in at_work:
        if rule := technique.conflict(values, blocks):
            yield f"`{rule}` must hold"
        for other in technique.excludes:
            if other in names:
                yield f"`{technique.axes[0].name}` and `{names[other].axes[0].name}` cannot be combined"


def is_feasible(values: Mapping[str, Any], blocks: float) -> bool:
    """Whether a model with so many blocks can have a strategy."""
    return next(conflicts(values, blocks), None) is None


def nearest_feasible(values: Mapping[str, Any], blocks: float) -> dict[str, Any]:
    """A strategy that a model can have, with values as they are as far as those of the axes before leave them room."""
    found = dict(NEUTRAL)
    for name, axis in AXES.items():
        wanted = values[name]
        if axis.up_to_blocks:
            tries: Iterable[Any] = range(int(min(wanted, blocks)), -1, -1)
        else:
            tries = (wanted, axis.neutral)
        found[name] = next((value for value in tries if is_feasible(found | {name: value}, blocks)), axis.neutral)
    return found

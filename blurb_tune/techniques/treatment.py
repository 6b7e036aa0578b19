"""All techniques of one trial, as one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blurb_tune.techniques.protocol import Subject, Technique
from blurb_tune.techniques.registry import AXES, TECHNIQUES, active, conflicts

if TYPE_CHECKING:
    import torch


def restore_modules(model: torch.nn.Module) -> None:
    """Give a model back the modules that it was built with, whatever trial has had it before."""
    for technique in reversed(TECHNIQUES):
        technique.restore(model)


def check_strategy(values: Mapping[str, Any], blocks: int) -> None:
    """Raise ValueError for values of the axes that a model with so many blocks cannot have."""
    faults = [fault for name, axis in AXES.items() if (fault := axis.fault(values[name]))] or [*conflicts(values, blocks)]
    if faults:
        given = ", ".join(f"{name}={values[name]}" for name, axis in AXES.items() if values[name] != axis.neutral)
        raise ValueError(f"{'; '.join(faults)}, but got {given}")


class Treatment:
    """Prepares a model for a feasible strategy, the values of all axes, and does in each step what its techniques do."""

    def __init__(self, subject: Subject, values: Mapping[str, Any]):
        self._techniques: list[Technique] = []
        self._learning: dict[str, torch.nn.Parameter] = {}
        self._resting: set[str] = set()
        subject.rate_factor = self.rate_factor
        for technique in (technique(values) for technique in active(values)):
            technique.prepare(subject)
            self._techniques.append(technique)
        subject.layers = subject.map_layers()

    def freeze(self, model: torch.nn.Module) -> None:
        """Let parameters whose rate is 0 have no gradient; all others have one, unless they rest."""
        parameters = dict(model.named_parameters())
        self._learning = {name: parameter for name, parameter in parameters.items() if self.rate_factor(name) != 0}
        for name, parameter in parameters.items():
            parameter.requires_grad_(name in self._learning)
            if name not in self._learning:
                # A leftover gradient would let AdamW's weight decay and momentum move a frozen tensor.
                parameter.grad = None

    def rate_factor(self, parameter: str) -> float:
        """The factor on a parameter's learning rate; 0 is frozen."""
        return math.prod(technique.rate_factor(parameter) for technique in self._techniques)

    def has_weight_decay(self, parameter: str) -> bool:
        """Whether the optimizer's weight decay may be on a parameter."""
        return all(technique.has_weight_decay(parameter) for technique in self._techniques)

    @property
    def passes(self) -> int:
        """Forward passes of each batch."""
        return max((technique.passes for technique in self._techniques), default=1)

    def penalties(self, outputs: Sequence[torch.Tensor], sizes: Sequence[int] | None) -> list[torch.Tensor]:
        """What is added to the loss, given the outputs of all passes; see `Technique.penalty`."""
        return [term for technique in self._techniques if (term := technique.penalty(outputs, sizes)) is not None]

    def before_step(self, step: int) -> None:
        for technique in self._techniques:
            technique.before_step(step)
        resting = set[str]()
        for technique in self._techniques:
            resting.update(technique.resting(resting))
        if resting != self._resting:
            self._resting = resting
            for name, parameter in self._learning.items():
                parameter.requires_grad_(name not in resting)

    def after_backward(self) -> None:
        """In reverse: what a technique did to the weights first is undone last."""
        for technique in reversed(self._techniques):
            technique.after_backward()

    def before_update(self, rates: Mapping[str, float]) -> None:
        """rates: the learning rates of the step, by parameter."""
        for technique in self._techniques:
            technique.before_update(rates)

    def after_step(self) -> None:
        for technique in self._techniques:
            technique.after_step()

    def export(self, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The weights that are tested and kept, with the names of a plain classifier's."""
        for technique in reversed(self._techniques):
            weights = technique.export(weights)
        return weights

    def state(self) -> dict[str, torch.Tensor]:
        """All that the techniques know of the steps so far, by `<technique>/<name>`."""
        return {f"{of.name}/{name}": tensor for of in self._techniques for name, tensor in of.state().items()}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on where `state` was taken."""
        for technique in self._techniques:
            prefix = f"{technique.name}/"
            technique.load({name.removeprefix(prefix): of for name, of in state.items() if name.startswith(prefix)})

    def report(self) -> dict[str, float]:
        """What is measured of the techniques at an evaluation, by name."""
        return {name: value for technique in self._techniques for name, value in technique.report().items()}

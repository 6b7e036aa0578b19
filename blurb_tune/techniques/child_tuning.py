"""Child-tuning: each step updates a random part of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from blurb_tune.techniques.protocol import Axis, Citation, Subject, Technique

if TYPE_CHECKING:
    import torch


class ChildTuning(Technique):
    """An element of a gradient stays with probability p and is divided by p, else it is 0; resampled in each step.

    The task-free form, Child-Tuning_F (Xu et al. 2021, arXiv 2109.05687, section 2.2). As in the authors' optimizer it comes
    behind the clipping of gradients and before Adam's moments, so that momentum and weight decay go on for the others.
    """

    name = "child"
    doing = "child-tuning"
    example = "child_share: [0.2, 0.3, 1.0]"
    citation = Citation("xu2021", "Xu and others", 2021, "2109.05687")
    axes = (
        Axis(
            "child_share",
            float,
            neutral=1.0,
            word="child",
            meaning="share of the gradients' elements that count in a step, resampled each time (child-tuning, task-free)",
            low=0,
            open_low=True,
            high=1,
        ),
    )
    child_share: float

    def prepare(self, subject: Subject) -> None:
        self._model, self._generator = subject.model, subject.generator(self.name)

    def before_update(self, rates: Mapping[str, float]) -> None:
        for parameter in self._model.parameters():
            if parameter.grad is not None:
                stays, scale = self._generator.draw(parameter.shape, 1 - self.child_share)
                parameter.grad.mul_(stays.to(parameter.device)).mul_(scale)

    def state(self) -> dict[str, torch.Tensor]:
        return {"generator": self._generator.state()}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        self._generator.load(state["generator"])

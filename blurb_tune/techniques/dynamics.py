"""Layer-wise freezing by training dynamics."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from blurb_tune.techniques.protocol import Axis, Citation, Subject, Technique

if TYPE_CHECKING:
    import torch

# Above any distance that a step makes, so that every tensor learns once before one does for the second time.
_NOT_YET = 1e6
_MB = 1e6 / 4  # elements of fp32


class DynamicFreezing(Technique):
    """In each step, of all T tensors the floor(share * T) that moved least when they last learned rest.

    SlimFit (Ardakani et al. 2023, arXiv 2305.18513). Tensors are those of more than one dimension and the weights of norms,
    as far as they are not frozen and no other technique lets them rest; biases learn on. How far one moved is the mean of
    |(before - after) / before| over its elements, where one that was 0 counts as 0. A tensor that rests keeps its value; one
    that has not learned yet has a large random one.

    A turn can leave nothing to measure: the first rate of a warm-up is 0, a gradient may be 0 or too small to change a weight,
    and a tensor of zeros, such as LoRA's B at first, has no relative change. The value is a tenth of it then: the tensor comes
    behind those that had no turn yet and before those that have learned, and one that never learns does not stay in front.

    Measured are `frozen_share`, the share of the elements that rested of all that learn, and `gradient_mb_saved`, the memory
    of the gradients that were not there, in MB: means over the steps so far.
    """

    name = "dynamic"
    doing = "layer-wise freezing by training dynamics (SlimFit)"
    example = "dynamic_freeze: [0.0, 0.5, 0.9]"
    citation = Citation("ardakani2023", "Ardakani and others", 2023, "2305.18513")
    axes = (
        Axis(
            "dynamic_freeze",
            float,
            neutral=0.0,
            word="dynamic",
            meaning="share of the tensors that rest in a step, those that moved least (SlimFit)",
            low=0,
            high=1,
            open_high=True,
        ),
    )
    after = ("freeze", "reinit", "unfreeze", "lora")
    excludes = ("bitfit",)
    dynamic_freeze: float

    def prepare(self, subject: Subject) -> None:
        import torch

        learning = {name: p for name, p in subject.model.named_parameters() if subject.rate_factor(name) != 0}
        self._tensors = {name: p for name, p in learning.items() if p.ndim > 1 or name.endswith(".weight")}
        self._distances = _NOT_YET * (1 + subject.generator(self.name).uniform(len(self._tensors)))
        self._elements, self._before = sum(p.numel() for p in learning.values()), dict[str, torch.Tensor]()
        self._totals = torch.zeros(2, dtype=torch.float64)  # steps, and elements that rested in them

    def resting(self, others: Collection[str]) -> Collection[str]:
        names = list(self._tensors)
        ranked = [index for index in self._distances.argsort(stable=True).tolist() if names[index] not in others]
        return {names[index] for index in ranked[: int(self.dynamic_freeze * len(ranked))]}

    def before_update(self, rates: Mapping[str, float]) -> None:
        tensors = self._tensors.items()
        self._before = {name: p.detach().clone() for name, p in tensors if p.grad is not None and p.grad.any()}
        self._totals[0] += 1
        self._totals[1] += sum(p.numel() for p in self._tensors.values() if not p.requires_grad)

    def after_step(self) -> None:
        for index, (name, parameter) in enumerate(self._tensors.items()):
            if parameter.requires_grad:
                self._distances[index] = self._moved(name) or self._distances[index] / 10

    def _moved(self, name: str) -> float:
        """How far a tensor moved in this step; 0 where there was nothing to measure."""
        if (before := self._before.get(name)) is None:
            return 0.0
        moved = ((before - self._tensors[name].detach()) / before).abs()
        return moved.masked_fill(before == 0, 0.0).mean().item()

    def state(self) -> dict[str, torch.Tensor]:
        return {"distances": self._distances, "totals": self._totals}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        self._distances, self._totals = state["distances"].clone(), state["totals"].clone()

    def report(self) -> dict[str, float]:
        steps, rested = self._totals.tolist()
        return {"frozen_share": rested / steps / self._elements, "gradient_mb_saved": rested / steps / _MB}

"""Mixout: a share of the weights is swapped for the pretrained ones in each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from blurb_tune.techniques.protocol import Axis, Citation, Subject, Technique

if TYPE_CHECKING:
    import torch


class Mixout(Technique):
    """In each step, the weights w that go out of a neuron are with probability p swapped for the pretrained ones u.

    mixout(w) = (m w + (1 - m) u - p u) / (1 - p), which is w on average, with one draw of m in {0, 1} for each input of a
    linear layer (Lee, Cho & Kang 2020, arXiv 1909.11299, section 3 and figure 1; their code draws so). It is on the matrices
    of blocks and pooler that are pretrained; embeddings, norms, biases and what is re-initialized have none. Dropout stays as
    it is. The gradient is that of the formula, m / (1 - p); the authors' code leaves the division out, which Adam hardly
    notices.

    The weights themselves are exchanged for the time of a step's passes, so that every engine computes with them.
    """

    name = "mixout"
    doing = "mixout"
    example = "mixout: [0.0, 0.5, 0.9]"
    citation = Citation("lee2020", "Lee and others", 2020, "1909.11299")
    axes = (
        Axis(
            "mixout",
            float,
            neutral=0.0,
            word="mixout",
            meaning="share of the weights that are swapped for the pretrained ones in each step, and rescaled (mixout)",
            low=0,
            high=1,
            open_high=True,
        ),
    )
    after = ("freeze", "reinit")
    mixout: float

    def prepare(self, subject: Subject) -> None:
        self._generator = subject.generator(self.name)
        self._mixed = [
            (parameter, parameter.detach().clone())
            for name, parameter in subject.model.named_parameters()
            if name in subject.pretrained and parameter.ndim == 2 and subject.layers.layer_of(name).level > 0
        ]
        self._learned: list[tuple[torch.Tensor, torch.Tensor]] = []

    def before_step(self, step: int) -> None:
        import torch

        self._learned = []
        with torch.no_grad():
            for parameter, pretrained in self._mixed:
                stays, scale = self._generator.draw((parameter.shape[1],), self.mixout)
                stays = stays.to(parameter.device)
                self._learned.append((parameter.clone(), stays * scale))
                parameter.copy_(torch.where(stays, pretrained + (parameter - pretrained) * scale, pretrained))

    def after_backward(self) -> None:
        for (parameter, _), (learned, factor) in zip(self._mixed, self._learned, strict=True):
            parameter.data.copy_(learned)
            if parameter.grad is not None:
                parameter.grad.mul_(factor)

    def state(self) -> dict[str, torch.Tensor]:
        return {"generator": self._generator.state()}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        self._generator.load(state["generator"])

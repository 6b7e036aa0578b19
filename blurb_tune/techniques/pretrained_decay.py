"""Weight decay toward the pretrained weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from blurb_tune.techniques.protocol import Axis, Citation, Subject, Technique

if TYPE_CHECKING:
    import torch


class PretrainedDecay(Technique):
    """Each step moves the pretrained weights w by -rate * c * (w - u) toward where they began, u.

    The gradient of L2-SP's penalty c / 2 |w - u|^2 (Li, Grandvalet & Davoine 2018, arXiv 1802.01483), decoupled from Adam's
    moments as AdamW's weight decay is: WD-pre in Zhang et al. 2021 (arXiv 2006.05987). It takes the place of the decay toward
    0 there; head and re-initialized blocks keep that one. What `no_weight_decay` names has neither.
    """

    name = "wdpre"
    doing = "weight decay toward the pretrained weights"
    example = "pretrained_decay: [0.0, 0.01, 0.1]"
    citation = Citation("li2018", "Li and others", 2018, "1802.01483")
    axes = (
        Axis(
            "pretrained_decay",
            float,
            neutral=0.0,
            word="wdpre",
            meaning="weight decay toward the pretrained weights, in place of `weight_decay` on them (L2-SP, WD-pre)",
            low=0,
        ),
    )
    after = ("reinit",)
    pretrained_decay: float

    def prepare(self, subject: Subject) -> None:
        self._pretrained: dict[str, tuple[torch.nn.Parameter, torch.Tensor]] = {
            name: (parameter, parameter.detach().clone())
            for name, parameter in subject.model.named_parameters()
            if name in subject.pretrained and subject.has_weight_decay(name)
        }

    def has_weight_decay(self, parameter: str) -> bool:
        return parameter not in self._pretrained

    def before_update(self, rates: Mapping[str, float]) -> None:
        for name, (parameter, pretrained) in self._pretrained.items():
            if parameter.grad is not None:
                parameter.detach().lerp_(pretrained, rates[name] * self.pretrained_decay)

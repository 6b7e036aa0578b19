"""R-Drop: two passes with different dropout are to say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blurb_tune.techniques.protocol import Axis, Source, Subject, Technique

if TYPE_CHECKING:
    import torch


class RDrop(Technique):
    """The loss is the mean of the losses of two passes, and a times their divergence (KL(p, q) + KL(q, p)) / 2.

    (Liang et al. 2021, arXiv 2106.14448, section 2, with the mean instead of the sum of the two losses, as the authors' code
    has it.) For classes the divergence is that of their distributions; for labels of which any may be right, the mean over
    labels; for a number (p - q)^2, which is that of normal distributions, in the unit in which the squared error is their
    negative log likelihood. A step costs two.
    """

    name = "rdrop"
    doing = "R-Drop"
    example = "rdrop: [0.0, 1.0, 5.0]"
    source = Source("liang2021", "Liang and others", 2021, "2106.14448")
    axes = (
        Axis(
            "rdrop",
            float,
            neutral=0.0,
            word="rdrop",
            meaning="weight of the divergence of two passes with different dropout (R-Drop); a step costs two",
            low=0,
        ),
    )
    rdrop: float

    @classmethod
    def cost(cls, values: Mapping[str, Any], blocks: int) -> int:
        return 2 * blocks

    def prepare(self, subject: Subject) -> None:
        self._divergence = {"classes": _of_classes, "labels": _of_labels, "number": _of_numbers}[subject.outputs]

    @property
    def passes(self) -> int:
        return 2

    def penalty(self, outputs: Sequence[torch.Tensor]) -> torch.Tensor | None:
        p, q = outputs
        return self.rdrop * self._divergence(p, q)


def _of_classes(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Mean over units of (KL(p, q) + KL(q, p)) / 2 = sum (p - q) (log p - log q) / 2; logits (units, classes)."""
    log_p, log_q = p.log_softmax(-1), q.log_softmax(-1)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(-1).mean() / 2


def _of_labels(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The same of labels that are or are not, by their log odds: (p - q) (logit p - logit q) / 2, the mean over all."""
    return ((p.sigmoid() - q.sigmoid()) * (p - q)).mean() / 2


def _of_numbers(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return (p - q).square().mean()

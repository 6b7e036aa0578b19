"""R-Drop: two passes with different dropout are to say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blurb_tune.techniques.protocol import Axis, Citation, Subject, Technique

if TYPE_CHECKING:
    import torch


class RDrop(Technique):
    """The loss is the mean of the losses of two passes, and a times their divergence (KL(p, q) + KL(q, p)) / 2.

    (Liang et al. 2021, arXiv 2106.14448, section 2, with the mean instead of the sum of the two losses, as the authors' code
    has it.) What that is of, the task's kind says (`Kind.divergence`). A step costs two.
    """

    name = "rdrop"
    doing = "R-Drop"
    example = "rdrop: [0.0, 1.0, 5.0]"
    citation = Citation("liang2021", "Liang and others", 2021, "2106.14448")
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
        self._divergence = subject.divergence

    @property
    def passes(self) -> int:
        return 2

    def penalty(self, outputs: Sequence[torch.Tensor], sizes: Sequence[int] | None) -> torch.Tensor | None:
        p, q = outputs
        return self.rdrop * self._divergence(p, q, sizes)

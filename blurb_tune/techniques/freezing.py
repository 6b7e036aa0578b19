"""Freezing the lower part of an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blurb_tune.techniques.protocol import Axis, Citation, Subject, Technique


class Freezing(Technique):
    """Embeddings and blocks 1..k get no gradient and stay as they are; everything else is trained.

    With k = L pooler and head alone are trained. (Tinn et al., arXiv 2112.07869.)
    """

    name = "freeze"
    doing = "freezing of the lower encoder blocks"
    example = "freeze_depth: [0, 2, 4]"
    citation = Citation("tinn2023", "Tinn and others", 2023, "2112.07869")
    axes = (
        Axis(
            "freeze_depth",
            int,
            neutral=0,
            word="freeze",
            meaning="embeddings and this many lowest blocks stay as pretrained",
            low=0,
            up_to_blocks=True,
        ),
    )
    freeze_depth: int

    @classmethod
    def cost(cls, values: Mapping[str, Any], blocks: int) -> int:
        return blocks - int(values["freeze_depth"])

    def prepare(self, subject: Subject) -> None:
        self._subject = subject

    def rate_factor(self, parameter: str) -> float:
        return float(self._subject.layers.layer_of(parameter).level > self.freeze_depth)

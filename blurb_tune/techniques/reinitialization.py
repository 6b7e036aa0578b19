"""Re-initializing the pooler and the top blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blurb_tune.techniques.protocol import Axis, Citation, Subject, Technique


class Reinitialization(Technique):
    """The pooler (or its counterpart in the head) and the top n blocks begin with weights as their family initializes them.

    The same seed gives a block the same weights whatever n is. (Zhang et al. 2021, arXiv 2006.05987.)
    """

    name = "reinit"
    doing = "re-initialization of the top encoder blocks"
    example = "reinit_count: [0, 1, 2]"
    citation = Citation("zhang2021", "Zhang and others", 2021, "2006.05987")
    axes = (
        Axis(
            "reinit_count",
            int,
            neutral=0,
            word="reinit",
            meaning="pooler and this many top blocks are re-initialized",
            low=0,
            up_to_blocks=True,
        ),
    )
    reinit_count: int

    @classmethod
    def conflict(cls, values: Mapping[str, Any], blocks: float) -> str | None:
        """A re-initialized block is never frozen."""
        if values["freeze_depth"] + values["reinit_count"] > blocks:
            return f"freeze_depth + reinit_count <= {blocks:g}"
        return None

    def prepare(self, subject: Subject) -> None:
        layers = subject.layers
        blocks = range(layers.blocks - self.reinit_count + 1, layers.blocks + 1)
        modules = (*layers.pooler_modules, *(module for block in blocks for module in layers.block_modules(block)))
        for module in modules:
            subject.initialize(module)
        subject.pretrained -= {name for name in subject.pretrained if name.startswith(tuple(f"{m}." for m in modules))}

"""Gradual unfreezing, from the head down."""

from __future__ import annotations

from collections.abc import Collection

from blurb_tune.techniques.protocol import Axis, Citation, Subject, Technique


class GradualUnfreezing(Technique):
    """Head and pooler learn at first; each time that so many epochs have passed, the next lower block joins them, at last the
    embeddings. (ULMFiT: Howard & Ruder 2018, arXiv 1801.06146, section 3.3, with one epoch.)

    What has not joined yet is as it was: without gradient, its moments and its weight decay rest too.
    """

    name = "unfreeze"
    doing = "gradual unfreezing"
    example = "unfreeze_epochs: [0.0, 0.5, 1.0]"
    citation = Citation("howard2018", "Howard and Ruder", 2018, "1801.06146")
    axes = (
        Axis(
            "unfreeze_epochs",
            float,
            neutral=0.0,
            word="unfreeze",
            meaning="epochs until the next lower block learns, too, from the head down; 0: all do from the start",
            low=0,
        ),
    )
    after = ("freeze",)
    unfreeze_epochs: float

    def prepare(self, subject: Subject) -> None:
        self._subject, self._step = subject, 1

    def before_step(self, step: int) -> None:
        self._step = step

    def resting(self, others: Collection[str]) -> Collection[str]:
        layers = self._subject.layers
        joined = int((self._step - 1) / (self.unfreeze_epochs * self._subject.steps_per_epoch))
        return {name for name in layers.refs if layers.layer_of(name).level < layers.blocks + 1 - joined}

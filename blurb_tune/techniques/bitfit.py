"""BitFit: of the pretrained parameters, the biases alone are trained."""

from __future__ import annotations

from blurb_tune.techniques.protocol import Axis, Citation, Subject, Technique


class BitFit(Technique):
    """Biases learn, and what has no pretrained weights: the head. (Ben Zaken, Ravfogel & Goldberg 2022, arXiv 2106.10199.)

    A bias is what its family calls so, that of a norm as well. Learning rates ten times those of fine-tuning are usual.
    """

    name = "bitfit"
    doing = "training of the biases alone (BitFit)"
    example = "bitfit: [false, true]"
    citation = Citation("benzaken2022", "Ben Zaken and others", 2022, "2106.10199")
    axes = (
        Axis(
            "bitfit", bool, neutral=False, word="bitfit", meaning="of the pretrained parameters, biases alone learn (BitFit)"
        ),
    )
    after = ("freeze",)
    excludes = ("reinit",)
    bitfit: bool

    def prepare(self, subject: Subject) -> None:
        self._pretrained = subject.pretrained

    def rate_factor(self, parameter: str) -> float:
        return float(parameter not in self._pretrained or parameter.endswith("bias"))

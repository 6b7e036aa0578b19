"""Learning rates that fall from the head down to the embeddings."""

from __future__ import annotations

from blurb_tune.techniques.protocol import Axis, Citation, Subject, Technique


class LayerwiseDecay(Technique):
    """Head and pooler learn at the full rate, block i of L at its d ** (L + 1 - i) fold, the embeddings at d ** (L + 1).

    (Zhang et al. 2021, arXiv 2006.05987.) ELECTRA's own fine-tuning has one power more below the head: d ** (L + 2 - i) for
    block i, d ** (L + 2) for the embeddings (`_get_layer_lrs` in its model/optimization.py), so its rates are lower than these
    by the factor d there.
    """

    name = "decay"
    doing = "layerwise decay of the learning rate"
    example = "decay_rate: [0.8, 0.9, 1.0]"
    citation = Citation("zhang2021", "Zhang and others", 2021, "2006.05987")
    axes = (
        Axis(
            "decay_rate",
            float,
            neutral=1.0,
            word="decay",
            meaning="factor on the learning rate per block, from the head down",
            low=0,
            open_low=True,
            high=1,
        ),
    )
    decay_rate: float

    def prepare(self, subject: Subject) -> None:
        self._subject = subject

    def rate_factor(self, parameter: str) -> float:
        layers = self._subject.layers
        return float(self.decay_rate ** (layers.blocks + 1 - layers.layer_of(parameter).level))

"""When a run is no better than a predictor that ignores its input."""

from __future__ import annotations

from dataclasses import dataclass

TRIVIAL_LOSS_MARGIN = 0.05


@dataclass(frozen=True)
class TrivialLevel:
    """What the best constant predictor reaches on dev under one metric, and how far chance may carry a run without skill.

    score: the dev score of the best constant predictor, 0 where its score is undefined. noise_bound: the dev score that
    predictions without skill stay at or below in 95 % of dev sets of this size (one-sided), at least `score`. loss: the train
    loss of the predictor that knows only how often each label occurs, in the units of `Measurement.train_loss`.

    Raises ValueError when the bound lies below the score.
    """

    score: float
    noise_bound: float
    loss: float

    def __post_init__(self) -> None:
        if not self.noise_bound >= self.score:
            raise ValueError(f"`noise_bound >= score` must hold, but got (noise_bound={self.noise_bound}, score={self.score})")

    def contains(self, dev_score: float, train_loss: float) -> bool:
        """Whether a run with this dev score and train loss is at the trivial level.

        Its dev score is undefined or does not beat the constant predictor's (Mosbach et al. 2021, arXiv 2006.04884); or it
        lies within the noise while the train loss has not left the trivial one either by more than `TRIVIAL_LOSS_MARGIN` of
        it. A small dev set alone cannot tell: 16 pairs without any relation correlate above 0.4 in one of twenty cases. A
        loss that is not a number has not left.
        """
        if not dev_score > self.score:
            return True
        return dev_score <= self.noise_bound and not train_loss <= (1 - TRIVIAL_LOSS_MARGIN) * self.loss

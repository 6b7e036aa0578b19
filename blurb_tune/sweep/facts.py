"""What a sweep knows of its models and data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blurb_tune.results.trivial import TrivialLevel


@dataclass(frozen=True)
class SweepFacts:
    """What the driver must know of model and data.

    blocks: encoder blocks by model. train_examples: size of the training set, of each fold's in a cross-validation.
    trivial_loss and trivial_score: the trivial predictor's train loss and dev score. noise_bound: the dev score that noise
    reaches (`results.trivial`), the trivial score where it is NaN. folds: 0 without cross-validation. levels: the trivial
    level of each fold, by which its runs are judged; that of all data where there is none.
    """

    blocks: Mapping[str, int]
    train_examples: Sequence[int]
    trivial_loss: float
    trivial_score: float
    folds: int = 0
    noise_bound: float = math.nan
    levels: Sequence[TrivialLevel] = ()

    def level(self, fold: int | None) -> TrivialLevel:
        """By which a run is judged."""
        if self.levels and fold is not None:
            return self.levels[fold]
        bound = self.trivial_score if math.isnan(self.noise_bound) else self.noise_bound
        return TrivialLevel(self.trivial_score, bound, self.trivial_loss)

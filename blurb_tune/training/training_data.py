"""What trials learn from and are judged by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from blurb_tune.tasks.encoding.features import Encoded
from blurb_tune.tasks.scoring.metrics import TrivialPredictor
from blurb_tune.tasks.task import Task


@dataclass(frozen=True, eq=False)
class Subset:
    """Where examples come from: all those of a sweep, and which of these they are."""

    examples: Encoded
    rows: NDArray[np.int64]

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where the tokens of each begin among all."""
        return self.examples.offsets[self.rows]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Encoded train and dev examples, never test. train_from, dev_from: what they were taken from, None where they are all."""

    task: Task
    train: Encoded
    dev: Encoded
    trivial: TrivialPredictor
    pad_token_id: int
    train_from: Subset | None = None
    dev_from: Subset | None = None

    @classmethod
    def of(cls, task: Task, train: Encoded, dev: Encoded, pad_token_id: int) -> TrainingData:
        """With the trivial predictor that follows from the labels."""
        return cls(task, train, dev, TrivialPredictor.of(task, train.labels, dev.labels, dev.words, train.words), pad_token_id)


@dataclass(frozen=True, eq=False)
class FoldedData:
    """All examples of a cross-validation, and which of them are dev in each fold."""

    task: Task
    examples: Encoded
    folds: tuple[NDArray[np.int64], ...]
    pad_token_id: int

    def fold(self, number: int) -> TrainingData:
        """Train and dev of fold `number`, from 0."""
        dev = self.folds[number]
        train = np.setdiff1d(np.arange(len(self.examples)), dev)
        data = TrainingData.of(self.task, self.examples.take(train), self.examples.take(dev), self.pad_token_id)
        return replace(data, train_from=Subset(self.examples, train), dev_from=Subset(self.examples, dev))

"""What a model's outputs on a split are worth, and what a trivial predictor reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from blurb_tune.results.trivial import TrivialLevel
from blurb_tune.tasks.kind import Array
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.noise import noise_bound
from blurb_tune.tasks.scoring.predictions import Predictions
from blurb_tune.tasks.scoring.scores import Floats
from blurb_tune.tasks.task import Task


@dataclass(frozen=True)
class Evaluation:
    """What a model's outputs on a split are worth.

    metrics: all of the task's by name, the score first; NaN where undefined. loss: as the task's kind has it, such as mean
    squared error or mean cross-entropy (nats); words that the model does not read are left out. prediction_spread: how much
    predictions vary over how much the labels do, 0 for constant predictions, NaN where labels do not vary.
    """

    metrics: Mapping[str, float]
    loss: float
    prediction_spread: float

    @property
    def score(self) -> float:
        """The task's metric."""
        return next(iter(self.metrics.values()))


def evaluate(task: Task, outputs: Array, labels: Array, words: Words | None = None) -> Evaluation:
    """Compare outputs, (m, task.outputs), with labels, as `features.Encoded` has them, m > 0.

    `words` says of a kind with words which of the m the model reads; what outputs hold for the others is ignored.

    Outputs that are not all finite, or that say nothing of any word, have no score: everything is NaN then. Raises ValueError
    when the shapes do not fit.
    """
    _check_shapes(task, outputs, labels, words)
    read = (outputs if words is None else outputs[words.is_read]).astype(np.float64)
    if not len(read) or not np.isfinite(read).all():
        return Evaluation(dict.fromkeys(task.metrics, math.nan), math.nan, math.nan)
    predictions = Predictions.of(task, outputs, labels, words)
    metrics = predictions.metrics(task.metrics)
    kind = task.kind
    spread = kind.spread(task, read, labels, predictions.columns)
    return Evaluation(metrics, kind.mean_loss(task, read, labels, words), spread)


def _check_shapes(task: Task, outputs: Array, labels: Array, words: Words | None) -> None:
    m = len(labels)
    if outputs.shape != (m, task.outputs) or not m:
        raise ValueError(f"expected outputs of shape ({m}, {task.outputs}) and m > 0, but got {outputs.shape}")
    wanted = (m, *task.kind.label_shape(task))
    if labels.shape != wanted:
        raise ValueError(f"expected labels of shape {wanted}, but got {labels.shape}")
    if (words is not None) != task.per_token:
        raise ValueError(f"`words` must {'' if task.per_token else 'not '}be given for {task.kind}")
    if words is not None and not len(words.tokens) == words.offsets[-1] == m:
        raise ValueError(f"expected {m} words, but got {len(words.tokens)} in sentences that end at {words.offsets[-1]}")


@dataclass(frozen=True, eq=False)
class TrivialPredictor:
    """The best predictor that ignores its input: under each metric the best of those that always say the same.

    metrics: what the best constant for each metric reaches on dev, the score first. 0 where it is undefined because
    predictions are constant, as their correlation is; NaN where dev's labels leave it undefined for whatever predictions, as
    a single class does the ROC. train_loss: what training must get its loss below, that of the best constant outputs on train.
    outputs: what the
    best constant for each metric says, (task.outputs,). task, labels and words: what it was measured on.
    """

    metrics: Mapping[str, float]
    train_loss: float
    outputs: Mapping[str, Floats]
    task: Task
    labels: Array
    words: Words | None
    _levels: dict[str, TrivialLevel] = field(default_factory=dict, init=False, repr=False)

    @property
    def score(self) -> float:
        """The task's metric."""
        return next(iter(self.metrics.values()))

    @classmethod
    def of(
        cls,
        task: Task,
        train_labels: Array,
        dev_labels: Array,
        dev_words: Words | None = None,
        train_words: Words | None = None,
    ) -> Self:
        """From labels and words of both splits, as `features.Encoded` has them, neither empty; any may stand for dev."""
        kind = task.kind
        constants = kind.constants(task, dev_labels)
        found = [_constant_predictions(task, output, dev_labels, dev_words).metrics(task.metrics) for output in constants]
        best = {
            name: max(range(len(constants)), key=lambda index: (not math.isnan(value := sign * found[index][name]), value))
            for name in task.metrics
            for sign in ((-1,) if kind.metric(name).lower_is_better else (1,))
        }
        undefined = kind.undefined_score(dev_labels)
        metrics = {name: found[index][name] for name, index in best.items()}
        metrics = {name: undefined if math.isnan(value) else value for name, value in metrics.items()}
        outputs = {name: constants[index] for name, index in best.items()}
        return cls(metrics, kind.trivial_loss(task, train_labels, train_words), outputs, task, dev_labels, dev_words)

    def level(self, metric: str) -> TrivialLevel:
        """What a run must leave behind under this metric of the task, of which more must be better; ValueError else.

        The bound of the noise is `noise.noise_bound`, which takes up to a second to work out, once for each metric.
        """
        if metric not in self._levels:
            self._levels[metric] = self._level(metric)
        return self._levels[metric]

    def _level(self, metric: str) -> TrivialLevel:
        usable = [name for name in self.metrics if not self.task.kind.metric(name).lower_is_better]
        if metric not in usable:
            raise ValueError(f"expected one of {', '.join(usable)}, but got metric={metric!r}")
        score = self.metrics[metric]
        if math.isnan(score):
            return TrivialLevel(0.0, 0.0, self.train_loss)
        bound = noise_bound(metric, _constant_predictions(self.task, self.outputs[metric], self.labels, self.words))
        return TrivialLevel(score, max(score, bound), self.train_loss)


def _constant_predictions(task: Task, output: Floats, labels: Array, words: Words | None) -> Predictions:
    return Predictions.of(task, np.broadcast_to(output, (len(labels), task.outputs)), labels, words)

"""What a model's outputs on a split are worth, and what a trivial predictor reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from blurb_tune.tasks.features import Words
from blurb_tune.tasks.predictions import Predictions
from blurb_tune.tasks.scores import Flags, Floats, Ints, is_constant
from blurb_tune.tasks.task import OUTSIDE, Kind, Task

Array = NDArray[Any]
_CORRELATIONS = ("pearson", "spearman")


@dataclass(frozen=True)
class Evaluation:
    """What a model's outputs on a split are worth.

    metrics: all of the task's by name, the score first; NaN where undefined. loss: mean squared error, mean cross-entropy
    (nats), or mean binary cross-entropy over examples and labels; words that the model does not read are left out.
    prediction_spread: as `trial.Measurement` has it.
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

    Regression: outputs are the predicted scores; else logits. Multi-label: a label is predicted where its logit is positive.
    Token classification: `words` says which of the m words the model reads; what outputs hold for the others is ignored, and
    they count as predicted `O`, or as wrong where the task has no `O`.

    Outputs that are not all finite, or that say nothing of any word, have no score: everything is NaN then. Raises ValueError
    when the shapes do not fit.
    """
    _check_shapes(task, outputs, labels, words)
    read = (outputs if words is None else outputs[words.is_read]).astype(np.float64)
    if not len(read) or not np.isfinite(read).all():
        return Evaluation(dict.fromkeys(task.metrics, math.nan), math.nan, math.nan)
    predictions = Predictions.of(task, outputs, labels, words)
    metrics = predictions.metrics(task.metrics)
    match task.kind:
        case Kind.REGRESSION:
            loss, spread = metrics["mse"], _score_spread(*predictions.columns)
        case Kind.MULTI_LABEL:
            predicted, actual = predictions.columns
            loss, spread = _binary_cross_entropy(read, actual), _spread(_set_counts(predicted), _set_counts(actual))
        case Kind.CLASSIFICATION | Kind.TOKEN_CLASSIFICATION:
            loss = _cross_entropy(read, labels if words is None else labels[words.is_read])
            spread = _spread(np.bincount(read.argmax(axis=1)), np.bincount(labels))
    return Evaluation(metrics, loss, spread)


def _check_shapes(task: Task, outputs: Array, labels: Array, words: Words | None) -> None:
    m = len(labels)
    if outputs.shape != (m, task.outputs) or not m:
        raise ValueError(f"expected outputs of shape ({m}, {task.outputs}) and m > 0, but got {outputs.shape}")
    wanted = (m, task.outputs) if task.kind is Kind.MULTI_LABEL else (m,)
    if labels.shape != wanted:
        raise ValueError(f"expected labels of shape {wanted}, but got {labels.shape}")
    if (words is not None) != task.per_token:
        raise ValueError(f"`words` must {'' if task.per_token else 'not '}be given for {task.kind}")
    if words is not None and not len(words.tokens) == words.offsets[-1] == m:
        raise ValueError(f"expected {m} words, but got {len(words.tokens)} in sentences that end at {words.offsets[-1]}")


def _binary_cross_entropy(logits: Floats, labels: Flags) -> float:
    return float(np.logaddexp(0, np.where(labels, -logits, logits)).mean())


def _cross_entropy(logits: Floats, labels: Array) -> float:
    return float(-np.take_along_axis(special.log_softmax(logits, axis=1), labels[:, None], axis=1).mean())


def _set_counts(flags: Flags) -> Ints:
    """How often each set of labels stands in the rows of `flags`."""
    return np.unique(flags, axis=0, return_counts=True)[1]


def _score_spread(predicted: Floats, actual: Floats) -> float:
    return math.nan if is_constant(actual) else float(predicted.std() / actual.std())


def _spread(predicted: Ints, actual: Ints) -> float:
    """The share outside the most frequent prediction over that outside the most frequent label, from how often each occurs."""
    of_labels = 1 - actual.max() / actual.sum()
    return float((1 - predicted.max() / predicted.sum()) / of_labels) if of_labels else math.nan


@dataclass(frozen=True)
class TrivialPredictor:
    """The best that ignores its input.

    It gives the training set's most frequent class; its mean score; no label at all; the tag `O` for every word, or the most
    frequent tag where the task has no `O`.

    metrics: what it reaches on dev, the score first; 0 where undefined, as the correlation of a constant is. train_loss: what
    training must get its loss below: the variance of the training set's scores, the entropy of its classes or tags, or the
    mean over its labels of the entropy of each (nats). dev_variance: of the dev scores; NaN but for regression.
    """

    metrics: Mapping[str, float]
    train_loss: float
    dev_variance: float

    @property
    def score(self) -> float:
        """The task's metric."""
        return next(iter(self.metrics.values()))

    @classmethod
    def of(cls, task: Task, train_labels: Array, dev_labels: Array, dev_words: Words | None = None) -> Self:
        """From the labels of both splits, as `features.Encoded` has them, neither empty; any split may stand for dev."""
        output, train_loss = _constant(task, train_labels)
        outputs = np.broadcast_to(output, (len(dev_labels), task.outputs))
        metrics = evaluate(task, outputs, dev_labels, dev_words).metrics
        variance = float(np.var(dev_labels, dtype=np.float64)) if task.kind is Kind.REGRESSION else math.nan
        return cls({name: 0.0 if math.isnan(value) else value for name, value in metrics.items()}, train_loss, variance)


def _constant(task: Task, labels: Array) -> tuple[Floats, float]:
    """The output, (task.outputs,), of the predictor that training on `labels` would give, and the loss it must get below."""
    if task.kind is Kind.REGRESSION:
        return labels.mean(dtype=np.float64)[None], float(np.var(labels, dtype=np.float64))
    if task.kind is Kind.MULTI_LABEL:
        shares = labels.mean(axis=0, dtype=np.float64)
        return np.full(task.outputs, -1.0), float((special.entr(shares) + special.entr(1 - shares)).mean())
    counts = np.bincount(labels, minlength=task.outputs)
    is_outside = task.per_token and OUTSIDE in task.labels
    return np.eye(task.outputs)[task.labels.index(OUTSIDE) if is_outside else counts.argmax()], float(stats.entropy(counts))


def is_collapsed(task: Task, evaluation: Evaluation, trivial: TrivialPredictor) -> bool:
    """Whether a run that ended with `evaluation` on dev is no better than the trivial predictor.

    Its score is at most the trivial one's (Mosbach et al. 2021, arXiv 2006.04884). Regression: the correlation is undefined or
    not positive, and the squared error at least the labels' variance.
    """
    if task.kind is not Kind.REGRESSION:
        return not evaluation.score > trivial.score
    correlation = evaluation.metrics[task.metric if task.metric in _CORRELATIONS else "pearson"]
    return not correlation > 0 and not evaluation.metrics["mse"] < trivial.dev_variance

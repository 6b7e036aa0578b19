"""Scores of a model's outputs, and what a trivial predictor reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from blurb_tune.tasks.task import Kind, Task

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """What a model's outputs on a split are worth.

    score: the task's metric, NaN where it is undefined. loss: mean squared error or mean cross-entropy (nats).
    prediction_spread: as `trial.Measurement` has it. extra: the task's further metrics by name.
    """

    score: float
    loss: float
    prediction_spread: float
    extra: Mapping[str, float]


def evaluate(task: Task, outputs: Array, labels: Array) -> Evaluation:
    """Compare outputs, (n, task.outputs), with labels, (n,), n > 0.

    Regression: outputs are the predicted scores. Classification: outputs are logits. Outputs that are not all finite have no
    score: everything is NaN then. Raises ValueError when the shapes do not fit.
    """
    if outputs.shape != (len(labels), task.outputs) or not len(labels):
        raise ValueError(f"expected outputs of shape ({len(labels)}, {task.outputs}), but got {outputs.shape}")
    if not np.isfinite(outputs).all():
        return Evaluation(math.nan, math.nan, math.nan, dict.fromkeys(task.metrics[1:], math.nan))
    values = outputs.astype(np.float64)
    if task.kind is Kind.REGRESSION:
        return _evaluate_regression(values[:, 0], labels.astype(np.float64))
    return _evaluate_classification(values, labels)


def _evaluate_regression(predictions: Floats, labels: Floats) -> Evaluation:
    mse = float(np.mean((predictions - labels) ** 2))
    if _is_constant(predictions) or _is_constant(labels):
        pearson = spearman = math.nan
    else:
        pearson = float(stats.pearsonr(predictions, labels).statistic)
        spearman = float(stats.spearmanr(predictions, labels).statistic)
    spread = math.nan if _is_constant(labels) else float(predictions.std() / labels.std())
    return Evaluation(pearson, mse, spread, {"spearman": spearman, "mse": mse})


def _is_constant(values: Floats) -> bool:
    """All the same, as far as single precision can tell: what varies less is rounding, and has no correlation."""
    return bool(np.ptp(values) <= np.finfo(np.float32).eps * np.abs(values).max())


def _evaluate_classification(logits: Floats, labels: Array) -> Evaluation:
    predicted = logits.argmax(axis=1)
    loss = -np.take_along_axis(special.log_softmax(logits, axis=1), labels[:, None], axis=1).mean()
    most = np.bincount(predicted).max() / len(predicted)
    return Evaluation(_accuracy(predicted, labels), float(loss), float(1 - most), {"macro_f1": _macro_f1(predicted, labels)})


def _accuracy(predicted: Array, labels: Array) -> float:
    return float(np.mean(predicted == labels))


def _macro_f1(predicted: Array, labels: Array) -> float:
    """The mean F1 over the classes that occur in the predictions or the labels."""
    scores = []
    for index in np.union1d(predicted, labels):
        hits = np.sum((predicted == index) & (labels == index))
        scores.append(2 * hits / (np.sum(predicted == index) + np.sum(labels == index)))
    return float(np.mean(scores))


@dataclass(frozen=True)
class TrivialPredictor:
    """The best that ignores its input: the most frequent class of the training set, or the mean of its scores.

    score: its dev score; 0 for regression, where the correlation of a constant is undefined. train_loss: its loss on the
    training set, which training must get below: the scores' variance, or the entropy of the class shares (nats).
    dev_variance: of the dev scores; NaN for classification.
    """

    score: float
    train_loss: float
    dev_variance: float

    @classmethod
    def of(cls, task: Task, train_labels: Array, dev_labels: Array) -> Self:
        """From the labels of both splits, (n,) each, neither empty."""
        if task.kind is Kind.REGRESSION:
            return cls(0.0, float(np.var(train_labels, dtype=np.float64)), float(np.var(dev_labels, dtype=np.float64)))
        counts = np.bincount(train_labels)
        return cls(_accuracy(np.full_like(dev_labels, counts.argmax()), dev_labels), float(stats.entropy(counts)), math.nan)


def is_collapsed(task: Task, evaluation: Evaluation, trivial: TrivialPredictor) -> bool:
    """Whether a run that ended with `evaluation` on dev is no better than the trivial predictor.

    Classification: its score is at most the majority class's (Mosbach et al. 2021, arXiv 2006.04884). Regression:
    the correlation is undefined or not positive, and the squared error at least the labels' variance.
    """
    if task.kind is Kind.CLASSIFICATION:
        return not evaluation.score > trivial.score
    return not evaluation.score > 0 and not evaluation.loss < trivial.dev_variance

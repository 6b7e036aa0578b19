"""What a model's outputs on a split are worth, and what a trivial predictor reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from blurb_tune.tasks.entities import NO_TAG, TagSet, compare_entities
from blurb_tune.tasks.features import Words
from blurb_tune.tasks.scores import (
    Counts,
    Flags,
    Floats,
    Ints,
    average_precision,
    correlations,
    is_constant,
    matthews,
    roc_auc,
)
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
    match task.kind:
        case Kind.REGRESSION:
            found = _regression(read[:, 0], labels.astype(np.float64))
        case Kind.CLASSIFICATION:
            found = _classification(task, read, labels)
        case Kind.MULTI_LABEL:
            found = _multi_label(task, read, labels > 0)
        case Kind.TOKEN_CLASSIFICATION:
            assert words is not None, "the shapes have been checked"
            found = _tags(task, read, labels, words)
    # In the order of the task, whose score comes first.
    return Evaluation({name: found.metrics[name] for name in task.metrics}, found.loss, found.prediction_spread)


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


def _regression(predictions: Floats, labels: Floats) -> Evaluation:
    mse = float(np.mean((predictions - labels) ** 2))
    pearson, spearman = correlations(predictions, labels)
    spread = math.nan if is_constant(labels) else float(predictions.std() / labels.std())
    return Evaluation({"pearson": pearson, "spearman": spearman, "mse": mse}, mse, spread)


def _classification(task: Task, logits: Floats, labels: Array) -> Evaluation:
    predicted = logits.argmax(axis=1)
    counts = Counts.of_classes(predicted, labels, len(task.labels))
    scored = counts.kept(_is_scored(task) if task.left_out else counts.predicted + counts.actual > 0)
    metrics = {
        "accuracy": float(np.mean(predicted == labels)),
        "micro_f1": scored.micro_f1,
        "macro_f1": scored.macro_f1,
        "matthews": matthews(counts),
    }
    if len(task.labels) == 2:
        # The log odds rank like the probabilities, which round to 1 when they are near it.
        odds, is_positive = logits[:, 1] - logits[:, 0], labels == 1
        metrics["f1"] = float(counts.f1[1])
        metrics["roc_auc"] = roc_auc(odds, is_positive)
        metrics["average_precision"] = average_precision(odds, is_positive)
    return Evaluation(metrics, _cross_entropy(logits, labels), _spread(counts.predicted, counts.actual))


def _multi_label(task: Task, logits: Floats, labels: Flags) -> Evaluation:
    predicted = logits > 0
    scored = Counts.of_flags(predicted, labels).kept(_is_scored(task))
    metrics = {
        "micro_f1": scored.micro_f1,
        "macro_f1": scored.macro_f1,
        "exact_match": float(np.mean((predicted == labels).all(axis=1))),
    }
    loss = np.logaddexp(0, np.where(labels, -logits, logits)).mean()
    return Evaluation(metrics, float(loss), _spread(_set_counts(predicted), _set_counts(labels)))


def _tags(task: Task, logits: Floats, labels: Array, words: Words) -> Evaluation:
    """`logits` are those of the words that are read."""
    read = logits.argmax(axis=1)
    predicted = np.full(len(labels), task.labels.index(OUTSIDE) if OUTSIDE in task.labels else NO_TAG)
    predicted[words.is_read] = read
    entities = Counts(*map(np.asarray, compare_entities(predicted, labels, words.offsets, task.labels)))
    tag_set = TagSet.of(task.labels)
    by_type = Counts.of_classes(tag_set.types[predicted] + 1, tag_set.types[labels] + 1, len(tag_set.names) + 1)
    metrics = {
        "entity_f1": float(entities.f1),
        "entity_precision": float(entities.precision),
        "entity_recall": float(entities.recall),
        "word_macro_f1": by_type.kept(slice(1, None)).macro_f1,  # the first stands for words outside entities
        "word_accuracy": float(np.mean(predicted == labels)),
    }
    return Evaluation(metrics, _cross_entropy(logits, labels[words.is_read]), _spread(np.bincount(read), np.bincount(labels)))


def _is_scored(task: Task) -> Flags:
    return np.array([label not in task.left_out for label in task.labels])


def _cross_entropy(logits: Floats, labels: Array) -> float:
    return float(-np.take_along_axis(special.log_softmax(logits, axis=1), labels[:, None], axis=1).mean())


def _set_counts(flags: Flags) -> Ints:
    """How often each set of labels stands in the rows of `flags`."""
    return np.unique(flags, axis=0, return_counts=True)[1]


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

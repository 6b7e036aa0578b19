"""What a model's outputs on a split are worth, and what a trivial predictor reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from blurb_tune.results.trivial import TrivialLevel
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.noise import noise_bound
from blurb_tune.tasks.scoring.predictions import Predictions
from blurb_tune.tasks.scoring.scores import Flags, Floats, Ints, is_constant
from blurb_tune.tasks.task import LOWER_IS_BETTER, Kind, Task

Array = NDArray[Any]
RANKING_METRICS = frozenset({"roc_auc", "average_precision"})
# Of the logistic noise through which log odds become labels.
_LOGISTIC_STD = math.pi / math.sqrt(3)


@dataclass(frozen=True)
class Evaluation:
    """What a model's outputs on a split are worth.

    metrics: all of the task's by name, the score first; NaN where undefined. loss: mean squared error, mean cross-entropy
    (nats), or mean binary cross-entropy over examples and labels; words that the model does not read are left out.

    prediction_spread: how much predictions vary over how much the labels do, 0 for constant predictions, NaN where labels do
    not vary. Both as standard deviations (regression), or as shares outside the most frequent class, tag or set of labels.
    Where the task's metric ranks (`RANKING_METRICS`), a model may rank well and yet see the one class everywhere; so it is
    the standard deviation of the log odds over that of the standard logistic distribution, pi / sqrt(3), by which labels
    scatter around log odds (McKelvey & Zavoina 1975, J. Math. Sociol. 4:103).
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
            if task.metric in RANKING_METRICS:
                spread = _odds_spread(predictions.columns[2], labels)
            else:
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


def _odds_spread(odds: Floats, actual: Ints) -> float:
    if actual.min() == actual.max():
        return math.nan
    return 0.0 if is_constant(odds) else float(odds.std() / _LOGISTIC_STD)


def _spread(predicted: Ints, actual: Ints) -> float:
    """The share outside the most frequent prediction over that outside the most frequent label, from how often each occurs."""
    of_labels = 1 - actual.max() / actual.sum()
    return float((1 - predicted.max() / predicted.sum()) / of_labels) if of_labels else math.nan


@dataclass(frozen=True, eq=False)
class TrivialPredictor:
    """The best predictor that ignores its input: under each metric the best of those that always say the same.

    These are: the mean score; each class; each tag; for several labels the k most frequent ones of dev, k from 0 to all, and
    dev's most frequent set. No other set does better: of micro F1 and macro F1 the best of each size are the most frequent.

    metrics: what the best constant for each metric reaches on dev, the score first. 0 where it is undefined because
    predictions are constant, as their correlation is; NaN where dev's labels leave it undefined for whatever predictions, as
    a single class does the ROC. train_loss: what training must get its loss below: the variance of the training set's
    scores, the entropy of its classes or tags, or the mean over its labels of the entropy of each (nats). outputs: what the
    best constant for each metric says, (task.outputs,). task, labels and words: what it was measured on.
    """

    metrics: Mapping[str, float]
    train_loss: float
    outputs: Mapping[str, Floats]
    task: Task
    labels: Array
    words: Words | None

    @property
    def score(self) -> float:
        """The task's metric."""
        return next(iter(self.metrics.values()))

    @classmethod
    def of(cls, task: Task, train_labels: Array, dev_labels: Array, dev_words: Words | None = None) -> Self:
        """From the labels of both splits, as `features.Encoded` has them, neither empty; any split may stand for dev."""
        constants = _constants(task, dev_labels)
        found = [_constant_predictions(task, output, dev_labels, dev_words).metrics(task.metrics) for output in constants]
        best = {
            name: max(range(len(constants)), key=lambda index: (not math.isnan(value := sign * found[index][name]), value))
            for name in task.metrics
            for sign in ((-1,) if name in LOWER_IS_BETTER else (1,))
        }
        has_spread = task.kind is Kind.REGRESSION and not is_constant(dev_labels)
        metrics = {name: found[index][name] for name, index in best.items()}
        metrics = {name: 0.0 if math.isnan(value) and has_spread else value for name, value in metrics.items()}
        outputs = {name: constants[index] for name, index in best.items()}
        return cls(metrics, _trivial_loss(task, train_labels), outputs, task, dev_labels, dev_words)

    def level(self, metric: str) -> TrivialLevel:
        """What a run must leave behind under this metric of the task, of which more must be better; ValueError else.

        The bound of the noise is `noise.noise_bound`, which takes up to a second to work out.
        """
        if metric not in self.metrics or metric in LOWER_IS_BETTER:
            usable = [name for name in self.metrics if name not in LOWER_IS_BETTER]
            raise ValueError(f"expected one of {', '.join(usable)}, but got metric={metric!r}")
        score = self.metrics[metric]
        if math.isnan(score):
            return TrivialLevel(0.0, 0.0, self.train_loss)
        bound = noise_bound(metric, _constant_predictions(self.task, self.outputs[metric], self.labels, self.words))
        return TrivialLevel(score, max(score, bound), self.train_loss)


def _constants(task: Task, labels: Array) -> list[Floats]:
    """The outputs, (task.outputs,) each, of the constant predictors that are worth a trial on examples with these labels."""
    if task.kind is Kind.REGRESSION:
        return [labels.mean(dtype=np.float64)[None]]
    if task.kind is Kind.MULTI_LABEL:
        sets, counts = np.unique(labels > 0, axis=0, return_counts=True)
        order = np.argsort(-labels.sum(axis=0), kind="stable")
        prefixes = np.zeros((task.outputs + 1, task.outputs), dtype=np.bool_)
        prefixes[:, order] = np.tri(task.outputs + 1, task.outputs, -1, dtype=np.bool_)
        return list(np.where([*prefixes, sets[counts.argmax()]], 1.0, -1.0))
    return list(np.eye(task.outputs))


def _constant_predictions(task: Task, output: Floats, labels: Array, words: Words | None) -> Predictions:
    return Predictions.of(task, np.broadcast_to(output, (len(labels), task.outputs)), labels, words)


def _trivial_loss(task: Task, labels: Array) -> float:
    """The loss of the best constant outputs on the examples with these labels."""
    if task.kind is Kind.REGRESSION:
        return float(np.var(labels, dtype=np.float64))
    if task.kind is Kind.MULTI_LABEL:
        shares = labels.mean(axis=0, dtype=np.float64)
        return float((special.entr(shares) + special.entr(1 - shares)).mean())
    return float(stats.entropy(np.bincount(labels, minlength=task.outputs)))

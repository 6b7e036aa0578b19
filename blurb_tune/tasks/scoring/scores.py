"""The formulas of the metrics, in plain numpy and scipy. Whatever divides nothing by nothing is 0, as in scikit-learn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy  # its parts are loaded when they are used, which checking data does not
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Counts:
    """How often something was predicted rightly (hits), was predicted, and is real; (classes,) each, or scalars."""

    hits: Ints
    predicted: Ints
    actual: Ints

    @classmethod
    def of_classes(cls, predicted: Ints, actual: Ints, classes: int) -> Self:
        """From class indices, (n,) each."""
        sets = (predicted[predicted == actual], predicted, actual)
        return cls(*(np.bincount(indices, minlength=classes) for indices in sets))

    @classmethod
    def of_flags(cls, predicted: Flags, actual: Flags) -> Self:
        """From flags, (n, labels) each."""
        return cls(*(flags.sum(axis=0) for flags in (predicted & actual, predicted, actual)))

    def select(self, which: Flags | slice) -> Counts:
        """Without the other classes."""
        return Counts(self.hits[which], self.predicted[which], self.actual[which])

    def total(self) -> Counts:
        """All classes together."""
        return Counts(self.hits.sum(), self.predicted.sum(), self.actual.sum())

    @property
    def precision(self) -> Floats:
        return _share(self.hits, self.predicted)

    @property
    def recall(self) -> Floats:
        return _share(self.hits, self.actual)

    @property
    def f1(self) -> Floats:
        return _share(2 * self.hits, self.predicted + self.actual)

    @property
    def micro_f1(self) -> float:
        return float(self.total().f1)

    @property
    def macro_f1(self) -> float:
        return float(self.f1.mean())


def _share(part: Any, whole: Any) -> Floats:
    shares: Floats = np.divide(part, whole, out=np.zeros_like(whole, dtype=np.float64), where=np.asarray(whole) > 0)
    return shares


def matthews(counts: Counts) -> float:
    """The correlation of predicted and real classes for any number of classes (Gorodkin 2004), from their counts.

    0 where one of them is constant.
    """
    hits, predicted, actual = (values.astype(np.float64) for values in (counts.hits, counts.predicted, counts.actual))
    n = actual.sum()
    variances = (n**2 - predicted @ predicted) * (n**2 - actual @ actual)
    return float((hits.sum() * n - predicted @ actual) / math.sqrt(variances)) if variances else 0.0


def roc_auc(scores: Floats, is_positive: Flags) -> float:
    """The chance that a positive is ranked above a negative, a tie counting half: the Mann-Whitney statistic. (n,) each.

    NaN when one class is missing.
    """
    positives = int(is_positive.sum())
    negatives = len(is_positive) - positives
    if not positives or not negatives:
        return math.nan
    ranks = scipy.stats.rankdata(scores)[is_positive].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def entropy(counts: Ints) -> float:
    """Of a distribution that these counts stand for, (n,), in nats.

    The same number as of `scipy.stats.entropy`, whose import takes most of a second of a sweep's start.
    """
    return float(scipy.special.entr(counts / counts.sum()).sum())


def average_precision(scores: Floats, is_positive: Flags) -> float:
    """The mean precision at the rank of each positive, those of the same score being ranked together. (n,) each.

    The area under the steps of precision over recall, without interpolation. NaN when one class is missing.
    """
    positives = int(is_positive.sum())
    if not positives or positives == len(is_positive):
        return math.nan
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = np.cumsum(is_positive[order])[ends]
    return float(np.diff(found, prepend=0) @ (found / (ends + 1)) / positives)


def correlations(predictions: Floats, labels: Floats) -> tuple[float, float]:
    """Pearson's and Spearman's, (n,) each; NaN where predictions or labels are constant."""
    if is_constant(predictions) or is_constant(labels):
        return math.nan, math.nan
    return float(scipy.stats.pearsonr(predictions, labels).statistic), float(
        scipy.stats.spearmanr(predictions, labels).statistic
    )


def is_constant(values: Floats) -> bool:
    """All the same, as far as single precision can tell: what varies less is rounding, and has no correlation."""
    return bool(np.ptp(values) <= np.finfo(np.float32).eps * np.abs(values).max())

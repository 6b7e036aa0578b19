"""How far a score on a split may be off because the split is small."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blurb_tune.stats.stability import fisher_interval, wilson_interval
from blurb_tune.tasks.features import Words
from blurb_tune.tasks.metrics import evaluate
from blurb_tune.tasks.predictions import Predictions
from blurb_tune.tasks.task import Task

_CORRELATIONS = frozenset({"pearson", "spearman"})
_SHARES = frozenset({"accuracy", "exact_match"})
_RESAMPLES = 1000


def score_interval(
    task: Task, metric: str, outputs: NDArray[Any], labels: NDArray[Any], words: Words | None, *, seed: int
) -> tuple[float, float]:
    """The 95 % interval of a metric over the examples it was measured on; arguments as for `evaluate`.

    Fisher's for correlations, Wilson's for shares of right examples, percentiles of 1,000 bootstrap samples of the examples
    (for tags: of the sentences) for everything else. NaN where the metric is undefined.
    """
    score = evaluate(task, outputs, labels, words).metrics[metric]
    if math.isnan(score):
        return math.nan, math.nan
    if metric in _CORRELATIONS:
        return fisher_interval(score, len(labels))
    if metric in _SHARES:
        return wilson_interval(round(score * len(labels)), len(labels))
    return _bootstrap(Predictions.of(task, outputs, labels, words), metric, seed)


def _bootstrap(predictions: Predictions, metric: str, seed: int) -> tuple[float, float]:
    generator, n = np.random.default_rng(seed), len(predictions)
    scores = [predictions.take(generator.integers(n, size=n)).metrics([metric])[metric] for _ in range(_RESAMPLES)]
    low, high = np.nanpercentile(scores, [2.5, 97.5])
    return float(low), float(high)

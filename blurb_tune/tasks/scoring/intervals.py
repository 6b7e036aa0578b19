"""How far a score on a split may be off because the split is small."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blurb_tune.stats.intervals import fisher_interval, wilson_interval
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.metrics import evaluate
from blurb_tune.tasks.scoring.predictions import Predictions
from blurb_tune.tasks.task import Task

_RESAMPLES = 1000
_Z = 1.959963984540054


def score_interval(
    task: Task, metric: str, outputs: NDArray[Any], labels: NDArray[Any], words: Words | None, *, seed: int
) -> tuple[float, float]:
    """The 95 % interval of a metric over the examples it was measured on; arguments as for `evaluate`.

    Fisher's for Pearson's correlation, Bonett and Wright's for Spearman's, Wilson's for shares of right examples, percentiles
    of 1,000 bootstrap samples of the examples (for tags: of the sentences) for everything else. NaN where the metric is
    undefined.
    """
    score = evaluate(task, outputs, labels, words).metrics[metric]
    if math.isnan(score):
        return math.nan, math.nan
    predictions, interval = Predictions.of(task, outputs, labels, words), task.kind.metric(metric).interval
    return _bootstrap(predictions, metric, seed) if interval is None else interval(score, len(predictions))


def difference_interval(
    task: Task,
    metric: str,
    outputs: NDArray[Any],
    reference: NDArray[Any],
    labels: NDArray[Any],
    words: Words | None,
    *,
    seed: int,
) -> tuple[float, float]:
    """The 95 % interval of how much more one model's outputs score than the reference's on the same examples.

    Percentiles of 1,000 bootstrap samples of the examples, the same ones for both (Koehn 2004, Statistical significance tests
    for machine translation evaluation, section 3, of scores that are no mean over examples; Efron & Tibshirani 1993, An
    introduction to the bootstrap, section 13.3). NaN where the metric is undefined for either.
    """
    both = [Predictions.of(task, of, labels, words) for of in (outputs, reference)]
    if any(math.isnan(predictions.metrics([metric])[metric]) for predictions in both):
        return math.nan, math.nan
    first, second = (of.bootstrap(metric, _RESAMPLES, np.random.default_rng(seed)) for of in both)
    low, high = np.nanpercentile(first - second, [2.5, 97.5])
    return float(low), float(high)


def share_interval(share: float, n: int) -> tuple[float, float]:
    """Wilson's of a share of n examples."""
    return wilson_interval(round(share * n), n)


def spearman_interval(correlation: float, n: int) -> tuple[float, float]:
    """With the standard error sqrt((1 + r^2 / 2) / (n - 3)) of Fisher's z (Bonett & Wright 2000, Psychometrika 65:23).

    Ranks vary more than Fisher's 1 / sqrt(n - 3) says: at a correlation of 0.92 his interval covers 91 % instead of 95.
    """
    return fisher_interval(correlation, n, z=_Z * math.sqrt(1 + correlation**2 / 2))


def _bootstrap(predictions: Predictions, metric: str, seed: int) -> tuple[float, float]:
    scores = predictions.bootstrap(metric, _RESAMPLES, np.random.default_rng(seed))
    low, high = np.nanpercentile(scores, [2.5, 97.5])
    return float(low), float(high)

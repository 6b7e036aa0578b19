"""How far chance alone carries predictions without skill on a split of this size."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import scipy  # its parts are loaded when they are used, which checking data does not

from blurb_tune.core.seeds import derive
from blurb_tune.tasks.scoring.predictions import Predictions
from blurb_tune.tasks.scoring.scores import Flags, Floats, average_precision

_LEVEL = 0.95
_DRAWS = 1000


def noise_bound(metric: str, constant: Predictions) -> float:
    """The score that predictions without skill stay at or below in 95 % of cases, the same at every call.

    constant: what the best constant predictor under the metric says of the split, whose labels must leave the metric defined.

    - pearson, spearman: the one-sided critical value of no correlation;
    - roc_auc: that of Mann and Whitney's statistic;
    - average_precision: the 95 % quantile of random rankings of these labels;
    - all others count, and for them it is the larger of two 95 % quantiles: of the constant predictor's score over bootstrap
      samples of the examples (for tags: of the sentences), and of the score of the labels themselves in random order. The
      latter knows how often each label occurs, and by that alone beats every constant under macro F1, and under Matthews'
      coefficient in half of the cases. Of tags it is worked out for word_macro_f1, the one metric where it matters.
    """
    generator = np.random.default_rng(derive(0, "noise", metric))
    task, columns = constant.task, constant.columns
    chance = task.kind.metric(metric).chance
    if chance is not None:
        return chance(columns[1], generator)
    resampled = _quantile(constant.bootstrap(metric, _DRAWS, generator))
    return max(resampled, _quantile(task.kind.shuffled(task, metric, columns, _DRAWS, generator)))


def _quantile(scores: Iterable[float] | Floats) -> float:
    """Of the defined ones; minus infinity where there are none."""
    values = np.array([score for score in scores if not math.isnan(score)])
    return float(np.quantile(values, _LEVEL, method="inverted_cdf")) if len(values) else -math.inf


def correlation_bound(n: int) -> float:
    """The r at which t = r sqrt((n - 2) / (1 - r^2)) is Student's quantile, with n - 2 degrees of freedom; 1 for n < 3.

    Of Pearson's correlation between normal variables that are independent it is exact, of Spearman's an approximation.
    """
    if n < 3:
        return 1.0
    t = float(scipy.special.stdtrit(n - 2, _LEVEL))
    return t / math.sqrt(n - 2 + t * t)


def roc_auc_bound(is_positive: Flags) -> float:
    """1/2 + z sqrt((n + 1) / (12 p (n - p))) for p of n positives, by the normal approximation of Mann & Whitney 1947."""
    n, positives = len(is_positive), int(is_positive.sum())
    deviation = math.sqrt((n + 1) / (12 * positives * (n - positives)))
    return min(1.0, 0.5 + float(scipy.special.ndtri(_LEVEL)) * deviation)


def average_precision_bound(is_positive: Flags, generator: np.random.Generator) -> float:
    """The 95 % quantile over random rankings of labels of which these are positive, (n,)."""
    return _quantile(average_precision(generator.random(len(is_positive)), is_positive) for _ in range(_DRAWS))

"""Statistics over the seeds of a configuration: how good, and how sure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blurb_tune.stats.objectives import pooled_std


@dataclass(frozen=True)
class ScoreSummary:
    """Location and spread of scores over seeds; NaN where there are too few of them.

    std has n - 1 in its denominator (stability in the sense of Mosbach et al. 2021, arXiv 2006.04884). Of several
    configurations it is the one pooled within them, and does not grow with the distance of their means.
    """

    n: int
    mean: float
    std: float
    min: float
    max: float


def summarize_scores(*samples: Sequence[float]) -> ScoreSummary:
    """The summary of finite scores, shape (n_i,) for each configuration i.

    mean, min and max are over all scores; std is sqrt(sum (n_i - 1) s_i^2 / sum (n_i - 1)), NaN where no configuration has
    two scores. Raises ValueError when a score is not finite.
    """
    parts = [np.asarray(scores, dtype=float) for scores in samples if len(scores)]
    if not parts:
        return ScoreSummary(0, math.nan, math.nan, math.nan, math.nan)
    values = np.concatenate(parts)
    if not np.isfinite(values).all():
        raise ValueError(f"scores must be finite, but got {values.tolist()}")
    return ScoreSummary(values.size, float(values.mean()), pooled_std(parts), float(values.min()), float(values.max()))


def wilson_interval(successes: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """The Wilson score interval of a share (Wilson 1927, JASA 22:209), at 95 % by default; (0, 1) when n is 0.

    Raises ValueError unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"0 <= successes <= n must hold, but got (successes={successes}, n={n})")
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, center - half), min(1.0, center + half)


def fisher_interval(correlation: float, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """The interval of a Pearson correlation of n pairs by Fisher's z transformation (Fisher 1921, Metron 1:3), at 95 % by
    default; (-1, 1) for fewer than 4 pairs, NaN for an undefined correlation.

    Raises ValueError unless -1 <= correlation <= 1.
    """
    if math.isnan(correlation):
        return math.nan, math.nan
    if not -1 <= correlation <= 1:
        raise ValueError(f"-1 <= correlation <= 1 must hold, but got {correlation}")
    if n < 4:
        return -1.0, 1.0
    if abs(correlation) == 1:
        return correlation, correlation
    half = z / math.sqrt(n - 3)
    return math.tanh(math.atanh(correlation) - half), math.tanh(math.atanh(correlation) + half)

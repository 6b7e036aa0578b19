"""Intervals of means, standard deviations, shares and correlations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy  # its parts are loaded when they are used, which a start does not wait for

from blurb_tune.stats.samples import pair_differences, sample

Interval = tuple[float, float]
_Z = 1.959963984540054


def t_interval(scores: Sequence[float], level: float = 0.95) -> Interval:
    """Student's interval of the mean of a sample, shape (n,) (Student 1908, Biometrika 6:1); NaN for fewer than two scores.
    Raises ValueError when a score is not finite."""
    values = sample(scores)
    if values.size < 2:
        return math.nan, math.nan
    return _around(float(values.mean()), float(values.var(ddof=1)) / values.size, values.size - 1, level)


def t_difference(
    scores: Sequence[float], reference: Sequence[float], *, paired: bool = False, level: float = 0.95
) -> Interval:
    """Welch's interval of the difference of the means of two samples, shapes (n,) and (m,), whose spreads may differ (Welch
    1947, Biometrika 34:28); Student's of the differences of pairs. NaN where a sample has fewer than two scores.

    Raises ValueError for pairs of different length, or when a score is not finite.
    """
    if paired:
        return t_interval(pair_differences(scores, reference).tolist(), level)
    first, second = sample(scores), sample(reference)
    n, m = first.size, second.size
    if n < 2 or m < 2:
        return math.nan, math.nan
    parts = float(first.var(ddof=1)) / n, float(second.var(ddof=1)) / m
    difference, variance = float(first.mean() - second.mean()), sum(parts)
    if variance == 0:
        return difference, difference
    freedom = variance**2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (m - 1))
    return _around(difference, variance, freedom, level)


def std_interval(scores: Sequence[float]) -> Interval:
    """The 95 % interval of the standard deviation of a sample, shape (n,), that need not be normal (Bonett 2006, Comput. Stat.
    Data Anal. 50:775): on the log scale, with a standard error from the kurtosis about a trimmed mean.

    NaN for fewer than five scores, where its trimming is undefined; the point itself, 0, where they are all equal. Where
    failed runs are rare enough to be missing from the sample no interval can know of them (docs/statistics.md). Raises
    ValueError when a score is not finite.
    """
    values = sample(scores)
    n = values.size
    if n < 5:
        return math.nan, math.nan
    if np.ptp(values) == 0:
        return 0.0, 0.0
    # With five it cuts half from each end, which leaves the median.
    share = 1 / (2 * math.sqrt(n - 4))
    center = float(np.median(values)) if n == 5 else float(scipy.stats.trim_mean(values, share))
    squares = float(((values - values.mean()) ** 2).sum())
    kurtosis = n * float(((values - center) ** 4).sum()) / squares**2
    correction = n / (n - _Z)
    error = correction * math.sqrt(max(0.0, kurtosis - (n - 3) / n) / (n - 1))
    variance = correction * squares / (n - 1)
    return math.sqrt(variance * math.exp(-_Z * error)), math.sqrt(variance * math.exp(_Z * error))


def wilson_interval(successes: int, n: int, z: float = _Z) -> tuple[float, float]:
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


def fisher_interval(correlation: float, n: int, z: float = _Z) -> tuple[float, float]:
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


def _around(center: float, variance: float, freedom: float, level: float) -> Interval:
    half = float(scipy.stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(variance)
    return center - half, center + half

"""Intervals of means by Student's distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import t

Interval = tuple[float, float]


def t_interval(scores: Sequence[float], level: float = 0.95) -> Interval:
    """Student's interval of the mean of a sample, shape (n,) (Student 1908, Biometrika 6:1); NaN for fewer than two scores."""
    sample = np.asarray(scores, dtype=float)
    if sample.size < 2:
        return math.nan, math.nan
    return _around(float(sample.mean()), float(sample.var(ddof=1)) / sample.size, sample.size - 1, level)


def t_difference(
    scores: Sequence[float], reference: Sequence[float], *, paired: bool = False, level: float = 0.95
) -> Interval:
    """Welch's interval of the difference of the means of two samples, shapes (n,) and (m,), whose spreads may differ (Welch
    1947, Biometrika 34:28); Student's of the differences of pairs. NaN where a sample has fewer than two scores."""
    first, second = np.asarray(scores, dtype=float), np.asarray(reference, dtype=float)
    if paired:
        return t_interval((first - second).tolist(), level)
    n, m = first.size, second.size
    if n < 2 or m < 2:
        return math.nan, math.nan
    parts = float(first.var(ddof=1)) / n, float(second.var(ddof=1)) / m
    difference, variance = float(first.mean() - second.mean()), sum(parts)
    if variance == 0:
        return difference, difference
    freedom = variance**2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (m - 1))
    return _around(difference, variance, freedom, level)


def _around(centre: float, variance: float, freedom: float, level: float) -> Interval:
    half = float(t.ppf((1 + level) / 2, freedom)) * math.sqrt(variance)
    return centre - half, centre + half

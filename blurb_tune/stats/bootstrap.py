"""Intervals by resampling."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import scipy  # its parts are loaded when they are used, which a start does not wait for
from numpy.typing import NDArray

from blurb_tune.stats.samples import pair_differences, sample

RESAMPLES = 10_000
Interval = tuple[float, float]


def bca_interval(scores: Sequence[float], statistic: str = "mean", level: float = 0.95) -> Interval:
    """The bias-corrected and accelerated bootstrap interval (Efron 1987, JASA 82:171) of the `mean` or the `std` of a sample,
    shape (n,): 10,000 resamples, the same ones each time and in whatever order the scores come.

    NaN for fewer than two scores, and for a `std` fewer than three, since without one of them there must be one still; the
    point itself where they are all equal. Its real coverage is below its level for few scores (docs/statistics.md). Raises
    ValueError when a score is not finite.
    """
    if statistic == "std" and len(scores) < 3:
        return math.nan, math.nan
    return _bca((sample(scores),), _STATISTICS[statistic], level)


def bca_difference(
    scores: Sequence[float], reference: Sequence[float], *, paired: bool = False, level: float = 0.95
) -> Interval:
    """The same for the difference of the means of two samples, shapes (n,) and (m,), resampled one by one, or in pairs.

    Raises ValueError for pairs of different length.
    """
    if paired:
        return _bca((pair_differences(scores, reference),), _STATISTICS["mean"], level)
    return _bca((sample(scores), sample(reference)), _difference, level)


def _bca(samples: tuple[NDArray[np.float64], ...], statistic: Callable[..., NDArray[np.float64]], level: float) -> Interval:
    if min(part.size for part in samples) < 2:
        return math.nan, math.nan
    samples = tuple(np.sort(part) for part in samples)
    if all(np.ptp(part) == 0 for part in samples):
        point = float(statistic(*samples, axis=-1))
        return point, point
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.stats.DegenerateDataWarning)  # the interval is NaN then
        found = scipy.stats.bootstrap(
            samples,
            statistic,
            n_resamples=RESAMPLES,
            confidence_level=level,
            method="BCa",
            vectorized=True,
            rng=np.random.default_rng(0),
        ).confidence_interval
    return float(found.low), float(found.high)


def _mean(scores: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = scores.mean(axis=axis)
    return mean


def _std(scores: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    std: NDArray[np.float64] = scores.std(axis=axis, ddof=1)
    return std


def _difference(first: NDArray[np.float64], second: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return _mean(first, axis) - _mean(second, axis)


_STATISTICS: dict[str, Callable[..., NDArray[np.float64]]] = {"mean": _mean, "std": _std}

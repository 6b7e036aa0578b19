"""Tests of whether two means differ that assume nothing of how the scores are distributed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import scipy  # its parts are loaded when they are used, which a start does not wait for
from numpy.typing import NDArray

from blurb_tune.stats.samples import pair_differences, sample

Alternative = Literal["two-sided", "greater", "less"]
_MOST_ENUMERATED = 2**12
_DRAWS = 10_000
_TOLERANCE = 1e-9  # of the largest statistic, below which two are equal
_Floats = NDArray[np.float64]


def permutation_p(
    scores: Sequence[float],
    reference: Sequence[float],
    *,
    paired: bool = False,
    studentized: bool = False,
    alternative: Alternative = "two-sided",
) -> float:
    """The p-value of the difference of the means of two samples, shapes (n,) and (m,), by relabeling.

    Unpaired, the labels of all scores are exchanged, C(n + m, n) ways; paired, those within each pair, 2^n ways. Up to 2^12
    relabelings are all counted, of more 10,000 are drawn, of which the identity is one (Phipson & Smyth 2010, Stat. Appl.
    Genet. Mol. Biol. 9:39), the same ones each time: p depends neither on the order of the scores nor on which side comes
    first. Two-sided is twice the smaller tail, at most 1.

    studentized: by the difference over its standard error, Welch's (Janssen 1997, Stat. Probab. Lett. 36:9; Chung & Romano
    2013, Ann. Stat. 41:484). The same p for n = m, for pairs, and where a sample has one score; of samples that differ in size
    and spread it errs far less often (docs/statistics.md).

    NaN where one sample is empty. Raises ValueError for pairs of different length, or when a score is not finite.
    """
    statistics = _by_pairs(scores, reference) if paired else _by_samples(scores, reference, studentized)
    if not statistics.size:
        return math.nan
    tolerance = _TOLERANCE * float(np.abs(statistics).max())
    greater = float(np.mean(statistics >= statistics[0] - tolerance))
    less = float(np.mean(statistics <= statistics[0] + tolerance))
    return {"greater": greater, "less": less, "two-sided": min(1.0, 2 * min(greater, less))}[alternative]


# Drawn relabelings are of positions: scores, and sides, get an order of their own first.


def _by_samples(scores: Sequence[float], reference: Sequence[float], studentized: bool) -> _Floats:
    """The statistic under each relabeling, the identity first; none where a sample is empty."""
    first, second = np.sort(sample(scores)), np.sort(sample(reference))
    if not first.size or not second.size:
        return np.empty(0)
    if (second.size, *second) < (first.size, *first):
        return -_of_samples(second, first, studentized)
    return _of_samples(first, second, studentized)


def _by_pairs(scores: Sequence[float], reference: Sequence[float]) -> _Floats:
    """The same of pairs."""
    differences = np.sort(pair_differences(scores, reference))
    if not differences.size:
        return differences
    mirrored = -differences[::-1]
    return -_of_pairs(mirrored) if tuple(mirrored) < tuple(differences) else _of_pairs(differences)


def _of_samples(first: _Floats, second: _Floats, studentized: bool) -> _Floats:
    """The difference of the means under each relabeling, the identity first; or what grows with it over its error."""
    n, m = first.size, second.size
    pool = np.concatenate([first, second])
    pool = pool - pool.mean()
    chosen = _choices(n, m)
    sums = pool[chosen].sum(axis=1)
    differences: _Floats = sums / n - (pool.sum() - sums) / m
    if not studentized or n == m or min(n, m) < 2:
        return differences
    squares, of_all = (pool**2)[chosen].sum(axis=1), float((pool**2).sum())
    errors = np.zeros_like(differences)
    for part, total, size in ((squares, sums, n), (of_all - squares, pool.sum() - sums, m)):
        errors += np.maximum(part - total**2 / size, 0) / (size * (size - 1))
    errors[errors <= _TOLERANCE * of_all] = 0
    # t / sqrt(1 + t^2) grows with t, and is 1 where samples that do not vary lie apart.
    scale = np.sqrt(errors + differences**2)
    return np.divide(differences, scale, out=np.zeros_like(scale), where=scale > 0)


@lru_cache(maxsize=16)
def _choices(n: int, m: int) -> NDArray[np.int64]:
    """The positions of the first sample's scores in each relabeling, (relabelings, n), the identity first; read-only."""
    if math.comb(n + m, n) <= _MOST_ENUMERATED:
        chosen = np.array(list(itertools.combinations(range(n + m), n)))
    else:
        chosen = np.argsort(np.random.default_rng(0).random((_DRAWS, n + m)), axis=1)[:, :n]
        chosen[0] = np.arange(n)
    chosen.flags.writeable = False
    return chosen


def _of_pairs(differences: _Floats) -> _Floats:
    """The mean of the differences under each exchange within pairs, the identity first."""
    means: _Floats = _signs(differences.size) @ differences / differences.size
    return means


@lru_cache(maxsize=16)
def _signs(n: int) -> _Floats:
    """What each exchange within n pairs makes of their differences, (exchanges, n), the identity first; read-only."""
    if 2**n <= _MOST_ENUMERATED:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
    else:
        signs = np.random.default_rng(0).choice((1.0, -1.0), size=(_DRAWS, n))
        signs[0] = 1.0
    signs.flags.writeable = False
    return signs


def wilcoxon_p(scores: Sequence[float], reference: Sequence[float], *, alternative: Alternative = "two-sided") -> float:
    """The p-value of Wilcoxon's signed-rank test of pairs, shapes (n,); exact for up to 50 pairs without ties (Wilcoxon 1945,
    Biometrics Bull. 1:80). 1 where no pair differs, NaN without pairs. Raises ValueError for samples of different length, or
    when a score is not finite."""
    differences = pair_differences(scores, reference)
    if not differences.size:
        return math.nan
    if not np.any(differences):
        return 1.0
    return float(scipy.stats.wilcoxon(differences, alternative=alternative).pvalue)


def smallest_p(n: int, m: int, *, paired: bool = False, alternative: Alternative = "two-sided") -> float:
    """The p-value of samples that lie apart, below which no others of n and m scores can be; where relabelings are drawn, 2e-4
    (two-sided), which is reached where the identity is drawn once."""
    ways = 2**n if paired else math.comb(n + m, n)
    return min(1.0, (2 if alternative == "two-sided" else 1) / (ways if ways <= _MOST_ENUMERATED else _DRAWS))


def first_decidable(alpha: float, *, paired: bool = False, alternative: Alternative = "two-sided") -> int | None:
    """The scores of each side from which on p <= alpha is possible at all: 4 for 0.05, unpaired and two-sided. None where no
    number is enough, as for an alpha below 2e-4."""
    if alpha < (2 if alternative == "two-sided" else 1) / _DRAWS:
        return None
    n = 1
    while smallest_p(n, n, paired=paired, alternative=alternative) > alpha:
        n += 1
    return n

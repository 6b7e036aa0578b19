"""Tests of whether two means differ that assume nothing of how the scores are distributed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

Alternative = Literal["two-sided", "greater", "less"]
_MOST_ENUMERATED = 2**12
_DRAWS = 10_000
_TOLERANCE = 1e-9  # of the largest difference, below which two are equal


def permutation_p(
    scores: Sequence[float], reference: Sequence[float], *, paired: bool = False, alternative: Alternative = "two-sided"
) -> float:
    """The p-value of the difference of the means of two samples, shapes (n,) and (m,), by relabeling.

    Unpaired, the labels of all scores are exchanged, C(n + m, n) ways; paired, those within each pair, 2^n ways. Up to 2^12
    relabelings are all counted, of more 10,000 are drawn, of which the identity is one (Phipson & Smyth 2010, Stat. Appl.
    Genet. Mol. Biol. 9:39), the same ones each time. Two-sided is twice the smaller tail, at most 1.

    NaN where one sample is empty. Raises ValueError for pairs of different length.
    """
    first, second = np.asarray(scores, dtype=float), np.asarray(reference, dtype=float)
    if paired and first.size != second.size:
        raise ValueError(f"pairs need as many scores on both sides, but got ({first.size}, {second.size})")
    if not first.size or not second.size:
        return math.nan
    differences = _of_pairs(first - second) if paired else _of_samples(first, second)
    tolerance = _TOLERANCE * float(np.abs(differences).max())
    greater = float(np.mean(differences >= differences[0] - tolerance))
    less = float(np.mean(differences <= differences[0] + tolerance))
    return {"greater": greater, "less": less, "two-sided": min(1.0, 2 * min(greater, less))}[alternative]


def _of_samples(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The difference of the means under each relabeling, the identity first."""
    pool, n = np.concatenate([first, second]), first.size
    if math.comb(pool.size, n) <= _MOST_ENUMERATED:
        chosen = np.array(list(itertools.combinations(range(pool.size), n)))
    else:
        chosen = np.argsort(np.random.default_rng(0).random((_DRAWS, pool.size)), axis=1)[:, :n]
        chosen[0] = np.arange(n)
    sums = pool[chosen].sum(axis=1)
    differences: NDArray[np.float64] = sums / n - (pool.sum() - sums) / second.size
    return differences


def _of_pairs(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the differences under each exchange within pairs, the identity first."""
    n = differences.size
    if 2**n <= _MOST_ENUMERATED:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
    else:
        signs = np.random.default_rng(0).choice((1.0, -1.0), size=(_DRAWS, n))
        signs[0] = 1.0
    means: NDArray[np.float64] = signs @ differences / n
    return means


def wilcoxon_p(scores: Sequence[float], reference: Sequence[float], *, alternative: Alternative = "two-sided") -> float:
    """The p-value of Wilcoxon's signed-rank test of pairs, shapes (n,); exact for up to 50 pairs without ties (Wilcoxon 1945,
    Biometrics Bull. 1:80). 1 where no pair differs. Raises ValueError for samples of different length."""
    differences = np.asarray(scores, dtype=float) - np.asarray(reference, dtype=float)
    if not np.any(differences):
        return 1.0
    return float(wilcoxon(differences, alternative=alternative).pvalue)


def smallest_p(n: int, m: int, *, paired: bool = False, alternative: Alternative = "two-sided") -> float:
    """The smallest p-value that n and m scores can have, complete separation."""
    ways = 2**n if paired else math.comb(n + m, n)
    return min(1.0, (2 if alternative == "two-sided" else 1) / ways)


def first_decidable(alpha: float, *, paired: bool = False, alternative: Alternative = "two-sided") -> int:
    """The scores of each side from which on p <= alpha is possible at all: 4 for 0.05, unpaired and two-sided."""
    n = 1
    while smallest_p(n, n, paired=paired, alternative=alternative) > alpha:
        n += 1
    return n

"""How often a seed of one strategy beats a seed of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when they are used, which a start does not wait for

from blurb_tune.stats.samples import sample


@dataclass(frozen=True)
class Superiority:
    """probability: P(a > b) + P(a = b) / 2. interval: at 95 %; (0, 1) where the samples are too small to tell."""

    probability: float
    interval: tuple[float, float]


def superiority(scores: Sequence[float], reference: Sequence[float], level: float = 0.95) -> Superiority:
    """The probability that a score of the first sample, shape (n,), is above one of the second, shape (m,), ties halved.

    Interval: Brunner & Munzel 2000 (Biom. J. 42:17), with Satterthwaite's degrees of freedom, on the logit scale, on which it
    stays within 0 and 1. Its variance is 0 where the samples do not overlap; the bound is then the exact one for as many
    independent pairs in a row.

    NaN and (0, 1) where a sample is empty; (0, 1) where one has a single score. Raises ValueError when a score is not finite.
    """
    a, b = sample(scores), sample(reference)
    n, m = a.size, b.size
    if not n or not m:
        return Superiority(math.nan, (0.0, 1.0))
    ranks = scipy.stats.rankdata(np.concatenate([a, b]))
    of_a, of_b = ranks[:n], ranks[n:]
    probability = float((of_a.mean() - (n + 1) / 2) / m)
    if n < 2 or m < 2:
        return Superiority(probability, (0.0, 1.0))
    var_a = float(np.var(of_a - scipy.stats.rankdata(a), ddof=1)) / m**2
    var_b = float(np.var(of_b - scipy.stats.rankdata(b), ddof=1)) / n**2
    variance = var_a / n + var_b / m
    if variance <= 0 or not 0 < probability < 1:
        return Superiority(probability, _of_separate(probability, n, m, level))
    freedom = variance**2 / ((var_a / n) ** 2 / (n - 1) + (var_b / m) ** 2 / (m - 1))
    half = float(scipy.stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(variance) / (probability * (1 - probability))
    center = math.log(probability / (1 - probability))
    return Superiority(probability, (_logistic(center - half), _logistic(center + half)))


def _of_separate(probability: float, n: int, m: int, level: float) -> tuple[float, float]:
    """Of samples that do not overlap: the chance that min(n, m) independent pairs are all won is p ** min(n, m), and bounds p
    as Clopper & Pearson 1934 (Biometrika 26:404) bound a share of 1."""
    bound = ((1 - level) / 2) ** (1 / min(n, m))
    if probability == 1:
        return bound, 1.0
    if probability == 0:
        return 0.0, 1 - bound
    return 0.0, 1.0


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0

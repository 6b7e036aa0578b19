"""How alike the scores of one seed are in different configurations: whether pairing by seed would gain power."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_COMMON = 3


@dataclass(frozen=True)
class SeedCorrelation:
    """mean: of Pearson's correlation over the pairs of configurations for which it is defined, NaN without any. pairs: their
    number."""

    mean: float
    pairs: int


def seed_correlation(scores: NDArray[np.float64]) -> SeedCorrelation:
    """Mean pairwise correlation of the rows of `scores` over their common columns.

    scores: (configurations, seeds), NaN where a configuration has no result of a seed. A pair counts that has at least three
    common seeds, and whose scores vary over them in both. Time is linear in the configurations for a given number of
    patterns of missing seeds: the sum of the products of all pairs of unit vectors is a product of their sums.
    """
    patterns, members = np.unique(~np.isnan(scores), axis=0, return_inverse=True)
    members = members.ravel()
    total, pairs = 0.0, 0
    for first in range(len(patterns)):
        for second in range(first, len(patterns)):
            common = patterns[first] & patterns[second]
            if common.sum() < LEAST_COMMON:
                continue
            units = _unit_rows(scores[members == first][:, common])
            if first == second:
                total += (float((units.sum(axis=0) ** 2).sum()) - len(units)) / 2
                pairs += len(units) * (len(units) - 1) // 2
            else:
                others = _unit_rows(scores[members == second][:, common])
                total += float(units.sum(axis=0) @ others.sum(axis=0))
                pairs += len(units) * len(others)
    return SeedCorrelation(total / pairs if pairs else math.nan, pairs)


def _unit_rows(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row without its mean and of length 1; those that do not vary are left out."""
    deviations = scores - scores.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(deviations, axis=1)
    varying = lengths > 1e-12
    units: NDArray[np.float64] = deviations[varying] / lengths[varying, None]
    return units

"""The race: which configurations are worse than the leader, by a group-sequential permutation test.

Pure: scores in, verdicts out. The leader is picked on the same scores, so a test against it as if it had been named beforehand
stops equal configurations too often; here the labels of all configurations are permuted, and the distance to whichever leads
is what is compared.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DRAWS = 5000
_LARGEST_TABLE = 4_000_000
_MOST_ENUMERATED = 2**12
_TOLERANCE = 1e-12

# Of the first replicates, (draws, m * first), and of each later one, (draws, m).
_Relabelings = tuple[NDArray[np.int32], list[NDArray[np.int32]]]


def losers(scores: NDArray[np.float64], *, planned: int, first: int, alpha: float) -> list[int]:
    """The rows that are worse than the leading one, the worst first; a look after n replicates.

    scores: (m, n), final scores of the m configurations that are in the race in their first n replicates, higher is better.
    planned: replicates at the last look (N). first: replicates at the first look (n0). alpha: a configuration that is
    as good as all others is stopped with at most this probability over all looks.

    Statistic: max_j mean_j - mean_i. Under the hypothesis that all are alike, the scores of the first n0 replicates are
    exchangeable, and within each later replicate its m scores are. Spending is linear: by look n at most alpha * n / N of the
    relabelings are rejected, those of earlier looks included (Lan & DeMets 1983; group-sequential permutation as AdaStop,
    arXiv 2306.10882; the identity is among the draws, Phipson & Smyth 2010). Those rejected leave, and the rest is tested
    again, since stragglers widen the distribution for all. Testing what a selection has left costs level:
    `nominal_alpha` makes up for it, as measured in benchmarks/decisions.py.

    Raises ValueError unless 1 <= n0 and n <= N.
    """
    m, n = scores.shape
    if not (first >= 1 and n <= planned):
        raise ValueError(f"`1 <= first` and `n <= planned` must hold, but got (first={first}, n={n}, planned={planned})")
    if n < first or m < 2:
        return []
    level = nominal_alpha(alpha, m)
    live, gone = list(range(m)), []
    while len(live) > 1:
        means = scores[live].mean(axis=1)
        distances = means.max() - means
        threshold = _threshold(scores[live], planned, first, level) - _TOLERANCE
        rejected = (distances >= threshold) & (distances > 0)
        if not rejected.any():
            break
        gone += [live[i] for i in np.argsort(means, kind="stable") if rejected[i]]
        live = [row for row, is_gone in zip(live, rejected, strict=True) if not is_gone]
    return gone


def nominal_alpha(alpha: float, m: int) -> float:
    """The level at which each of m configurations is tested, such that with the tests of what is left over `alpha` holds.

    For two there is nothing to make up for. The form was fitted to simulated races of 2 to 20 equal configurations with
    normal, skewed and failing runs (benchmarks/decisions.py).
    """
    return alpha / (1 + math.log2(max(m, 2) / 2) / 4)


def first_possible_stop(*, planned: int, first: int, alpha: float, m: int) -> int | None:
    """After how many replicates a configuration can be stopped at the earliest, with m of them in the race; None for never.

    planned: replicates at the last look (N).

    Complete separation of the worst is one relabeling in C(m * n0, n0) at the first look, one in m as many at each later.
    """
    level = nominal_alpha(alpha, m)
    smallest = 1 / math.comb(m * first, first)
    for n in range(first, planned + 1):
        if smallest <= level * n / planned + _TOLERANCE:
            return n
        smallest /= m
    return None


def _threshold(scores: NDArray[np.float64], planned: int, first: int, alpha: float) -> float:
    """The smallest distance that is rejected at look n, infinite where none is. By symmetry it is the same for each row."""
    m, n = scores.shape
    free, later = _relabelings(m, first, planned)
    draws = len(free)
    alive = np.ones(draws, dtype=bool)
    sums = scores[:, :first].ravel()[free].reshape(draws, m, first).sum(axis=2)
    spent, threshold = 0.0, math.inf
    for k in range(first, n + 1):
        if k > first:
            sums += scores[:, k - 1][later[k - first - 1]]
        distances = np.where(alive, (sums.max(axis=1) - sums[:, 0]) / k, -math.inf)
        threshold = _smallest_rejected(distances, math.floor((alpha * k / planned - spent) * draws + 1e-9))
        rejected = alive & (distances >= threshold - _TOLERANCE)
        spent += float(rejected.mean())
        alive &= ~rejected
    return threshold


def _smallest_rejected(distances: NDArray[np.float64], allowed: int) -> float:
    """The smallest value that at most `allowed` of `distances` reach; infinite where there is none."""
    if allowed <= 0:
        return math.inf
    if allowed >= len(distances):
        return float(distances.min())
    top = np.sort(np.partition(distances, len(distances) - allowed - 1)[len(distances) - allowed - 1 :])
    above = top[top > top[0] + _TOLERANCE]  # values equal to the first one left out would make too many
    return float(above[0]) if above.size and above[0] > 0 else math.inf


def _relabelings(m: int, first: int, planned: int) -> _Relabelings:
    """All there are, or drawn ones."""
    if m == 2 and math.comb(2 * first, first) << (planned - first) <= _MOST_ENUMERATED:
        return _all_of_two(first, planned)
    draws = min(DRAWS, max(200, _LARGEST_TABLE // (m * planned)))
    is_large = draws * m * planned > _LARGEST_TABLE // 4
    return (_large_tables if is_large else _small_tables)(draws, m, first, planned)


def _draw(draws: int, m: int, first: int, planned: int) -> _Relabelings:
    generators = [np.random.default_rng([draws, m, first, replicate]) for replicate in range(first, planned + 1)]
    shapes = [(draws, m * first), *[(draws, m)] * (planned - first)]
    orders = [
        np.argsort(generator.random(shape), axis=1).astype(np.int32)
        for generator, shape in zip(generators, shapes, strict=True)
    ]
    for order in orders:
        order[0] = np.arange(order.shape[1])
    return orders[0], orders[1:]


_small_tables, _large_tables = lru_cache(maxsize=32)(_draw), lru_cache(maxsize=4)(_draw)


@lru_cache(maxsize=32)
def _all_of_two(first: int, planned: int) -> _Relabelings:
    positions = range(2 * first)
    halves = [(*half, *(p for p in positions if p not in half)) for half in itertools.combinations(positions, first)]
    swaps = list(itertools.product((False, True), repeat=planned - first))
    free = np.repeat(np.array(halves, dtype=np.int32), len(swaps), axis=0)
    swapped = np.tile(np.array(swaps, dtype=np.int32).reshape(len(swaps), -1), (len(halves), 1))
    return free, [np.stack([column, 1 - column], axis=1) for column in swapped.T]

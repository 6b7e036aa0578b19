"""How often each interval of `blurb_tune.stats` covers the truth, and how often each test errs, by simulation.

Usage: python benchmarks/intervals.py [--rounds 2000]

README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from itertools import product

import numpy as np
from numpy.typing import NDArray

from blurb_tune.stats.bootstrap import bca_difference, bca_interval
from blurb_tune.stats.intervals import fisher_interval, t_difference, t_interval, wilson_interval
from blurb_tune.stats.permutation import permutation_p
from blurb_tune.stats.superiority import superiority
from blurb_tune.stats.variance import brown_forsythe_p
from blurb_tune.tasks.scoring.intervals import spearman_interval

Floats = NDArray[np.float64]
SIZES = (5, 10, 50)
KINDS = ("normal", "skewed", "failing")


def draw(kind: str, generator: np.random.Generator, size: int) -> Floats:
    """Scores of seeds: normal, with a tail below, or with a fifth of the runs at 0."""
    match kind:
        case "normal":
            return generator.normal(0.8, 0.03, size)
        case "skewed":
            return 0.9 - generator.gamma(1.0, 0.03, size)
        case _:
            return np.where(generator.random(size) < 0.2, 0.0, generator.normal(0.8, 0.03, size))


# Means and standard deviations that the samples are drawn from.
TRUTH = {
    "normal": (0.8, 0.03),
    "skewed": (0.87, 0.03),
    "failing": (0.64, math.sqrt(0.8 * (0.8**2 + 0.03**2) - 0.64**2)),
}


def _covers(interval: tuple[float, float], truth: float) -> bool:
    return interval[0] - 1e-12 <= truth <= interval[1] + 1e-12


def _of_samples(kind: str, n: int, rounds: int) -> str:
    generator = np.random.default_rng([n, len(kind)])
    mean, std = TRUTH[kind]
    hits: dict[str, int] = {}
    for _ in range(rounds):
        a, b = draw(kind, generator, n).tolist(), draw(kind, generator, n).tolist()
        found = {
            "mean BCa": _covers(bca_interval(a), mean),
            "mean t": _covers(t_interval(a), mean),
            "std BCa": _covers(bca_interval(a, "std"), std),
            "difference BCa": _covers(bca_difference(a, b), 0.0),
            "difference Welch": _covers(t_difference(a, b), 0.0),
            "superiority": _covers(superiority(a, b).interval, 0.5),
            "p > 0.05": permutation_p(a, b) > 0.05,
            "Brown-Forsythe p > 0.05": not brown_forsythe_p(a, b) <= 0.05,
        }
        for name, hit in found.items():
            hits[name] = hits.get(name, 0) + hit
    return f"{kind:8} n={n:2}: " + ", ".join(f"{name} {count / rounds:.3f}" for name, count in hits.items())


def _of_shares(n: int, rounds: int) -> str:
    generator = np.random.default_rng(n)
    found = []
    for share in (0.05, 0.2, 0.5):
        hits = sum(_covers(wilson_interval(int(generator.binomial(n, share)), n), share) for _ in range(rounds))
        found.append(f"share {share:.2f} {hits / rounds:.3f}")
    return f"Wilson   n={n:2}: " + ", ".join(found)


def _of_correlations(n: int, rounds: int) -> str:
    from scipy.stats import pearsonr, spearmanr

    generator, found = np.random.default_rng(n), []
    for rho in (0.5, 0.92):
        rank_rho = 6 / math.pi * math.asin(rho / 2)
        hits = np.zeros(3)
        for _ in range(rounds):
            x = generator.normal(size=n)
            y = rho * x + math.sqrt(1 - rho**2) * generator.normal(size=n)
            pearson, spearman = float(pearsonr(x, y).statistic), float(spearmanr(x, y).statistic)
            hits += [
                _covers(fisher_interval(pearson, n), rho),
                _covers(spearman_interval(spearman, n), rank_rho),
                _covers(fisher_interval(spearman, n), rank_rho),
            ]
        pearson, bonett, fisher = hits / rounds
        found.append(f"rho {rho}: Pearson {pearson:.3f}, Spearman {bonett:.3f} (by Fisher's {fisher:.3f})")
    return f"pairs    n={n:2}: " + "; ".join(found)


def _call(job: tuple[Callable[..., str], tuple[object, ...]]) -> str:
    function, arguments = job
    return function(*arguments)


def lines(pool: ProcessPoolExecutor, rounds: int) -> Iterator[str]:
    jobs: list[tuple[Callable[..., str], tuple[object, ...]]] = []
    jobs += [(_of_samples, (kind, n, rounds)) for kind, n in product(KINDS, SIZES)]
    jobs += [(_of_shares, (n, rounds)) for n in SIZES]
    jobs += [(_of_correlations, (n, rounds)) for n in (20, 50)]
    yield from pool.map(_call, jobs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2000)
    rounds = parser.parse_args().rounds
    print(f"{datetime.now(UTC):%Y-%m-%d}, {rounds} rounds, intervals at 95 %")
    with ProcessPoolExecutor() as pool:
        for line in lines(pool, rounds):
            print(f"  {line}", flush=True)


if __name__ == "__main__":
    main()

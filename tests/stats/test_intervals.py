from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from blurb_tune.stats.intervals import fisher_interval, std_interval, t_difference, t_interval, wilson_interval

scores = st.lists(st.integers(0, 100).map(lambda k: k / 100), min_size=2, max_size=12)


def by_hand(scores: list[float], center: float) -> tuple[float, float]:
    """Bonett's formula, term by term, for the center that his trimming leaves."""
    n, z = len(scores), 1.959963984540054
    mean = math.fsum(scores) / n
    squares = math.fsum((score - mean) ** 2 for score in scores)
    kurtosis = n * math.fsum((score - center) ** 4 for score in scores) / squares**2
    c = n / (n - z)
    half = z * c * math.sqrt((kurtosis - (n - 3) / n) / (n - 1))
    log_variance = math.log(c * squares / (n - 1))
    return math.exp((log_variance - half) / 2), math.exp((log_variance + half) / 2)


def test_the_interval_of_a_spread_is_bonetts() -> None:
    five = [0.1, 0.2, 0.4, 0.5, 0.9]
    assert std_interval(five) == pytest.approx(by_hand(five, 0.4))
    eight = [0.1, 0.2, 0.4, 0.5, 0.9, 0.3, 0.35, 0.7]  # a quarter is cut from each end
    assert std_interval(eight) == pytest.approx(by_hand(eight, (0.3 + 0.35 + 0.4 + 0.5) / 4))


def test_few_and_equal_scores_have_no_spread_to_tell() -> None:
    assert all(map(math.isnan, std_interval([0.1, 0.2, 0.4, 0.5])))
    assert std_interval([0.3] * 5) == (0.0, 0.0)


@given(st.lists(st.integers(0, 100).map(lambda k: k / 100), min_size=5, max_size=15))
def test_the_interval_of_a_spread_has_its_order_and_its_unit(values: list[float]) -> None:
    low, high = std_interval(values)
    assert 0 <= low <= high
    assert std_interval(values[::-1]) == pytest.approx((low, high))
    assert std_interval([50 * score + 3 for score in values]) == pytest.approx((50 * low, 50 * high), abs=1e-9)


@pytest.mark.parametrize(("n", "least"), [(5, 0.97), (10, 0.93), (30, 0.91)])
def test_it_covers_a_normal_spread_as_often_as_the_docs_say(n: int, least: float) -> None:
    generator = np.random.default_rng(n)
    hits = [low <= 0.03 <= high for low, high in (std_interval(generator.normal(0.8, 0.03, n).tolist()) for _ in range(800))]
    assert np.mean(hits) >= least


@given(scores, scores)
def test_differences_change_sign_with_the_sides(first: list[float], second: list[float]) -> None:
    low, high = t_difference(first, second)
    assert t_difference(second, first) == pytest.approx((-high, -low))
    assert t_difference([100 * s + 7 for s in first], [100 * s + 7 for s in second]) == pytest.approx(
        (100 * low, 100 * high), abs=1e-6
    )
    assert low <= np.mean(first) - np.mean(second) + 1e-12
    assert np.mean(first) - np.mean(second) <= high + 1e-12


@given(scores)
def test_a_difference_in_pairs_is_the_mean_of_the_differences(values: list[float]) -> None:
    zeros = [0.0] * len(values)
    assert t_difference(values, zeros, paired=True) == pytest.approx(t_interval(values))


@pytest.mark.parametrize("n", [5, 10])
def test_students_interval_covers_a_normal_mean(n: int) -> None:
    generator = np.random.default_rng(n)
    rounds = 2000
    hits = [low <= 0.8 <= high for low, high in (t_interval(generator.normal(0.8, 0.03, n).tolist()) for _ in range(rounds))]
    assert np.mean(hits) == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / rounds))


@given(st.integers(0, 30), st.integers(0, 30))
def test_wilson_interval_is_scipys(successes: int, others: int) -> None:
    n = successes + others
    if n == 0:
        assert wilson_interval(0, 0) == (0.0, 1.0)
        return
    reference = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, n) == pytest.approx((reference.low, reference.high), abs=1e-9)


def test_wilson_interval_refuses_impossible_counts() -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(3, 2)


def test_fisher_s_interval_is_scipy_s_and_the_published_one() -> None:
    assert fisher_interval(0.92, 20) == pytest.approx((0.805, 0.968), abs=5e-4)
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 15))
    result = stats.pearsonr(x, y)
    assert fisher_interval(result.statistic, 15) == pytest.approx(tuple(result.confidence_interval()))


def test_fisher_s_interval_at_its_limits() -> None:
    assert fisher_interval(0.5, 3) == (-1.0, 1.0)
    assert fisher_interval(1.0, 10) == (1.0, 1.0)
    assert all(math.isnan(bound) for bound in fisher_interval(math.nan, 10))
    with pytest.raises(ValueError, match="must hold"):
        fisher_interval(1.5, 10)

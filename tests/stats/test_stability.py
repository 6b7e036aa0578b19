from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from blurb_tune.stats.stability import fisher_interval, summarize_scores, wilson_interval

SCORES = st.lists(st.floats(-1, 1), min_size=1, max_size=12)


def test_spread_of_known_numbers() -> None:
    result = summarize_scores([0.2, 0.4, 0.9])
    assert (result.n, result.min, result.max) == (3, 0.2, 0.9)
    assert result.mean == pytest.approx(0.5)
    assert result.std == pytest.approx(0.360555, abs=1e-6)


def test_one_seed_has_no_spread_and_none_has_nothing() -> None:
    assert summarize_scores([0.5]).mean == 0.5
    assert math.isnan(summarize_scores([0.5]).std)
    assert summarize_scores([]).n == 0
    assert math.isnan(summarize_scores([]).mean)


def test_an_undefined_score_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        summarize_scores([0.1, math.nan])


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

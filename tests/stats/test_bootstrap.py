from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from blurb_tune.stats.bootstrap import bca_difference, bca_interval

scores = st.lists(st.integers(0, 100).map(lambda k: k / 100), min_size=3, max_size=9)


@settings(max_examples=15)
@given(scores, scores, st.randoms(use_true_random=False))
def test_resamples_know_no_order(first: list[float], second: list[float], generator: random.Random) -> None:
    shuffled = [generator.sample(of, len(of)) for of in (first, second)]
    for statistic in ("mean", "std"):
        assert bca_interval(shuffled[0], statistic) == pytest.approx(bca_interval(first, statistic), nan_ok=True)
    assert bca_difference(*shuffled) == pytest.approx(bca_difference(first, second), nan_ok=True)


@settings(max_examples=15)
@given(scores)
def test_an_interval_grows_with_the_unit(values: list[float]) -> None:
    """By a power of two, which rounds nothing: of few scores many resamples tie, and rounding would part them."""
    for statistic in ("mean", "std"):
        low, high = bca_interval(values, statistic)
        assert bca_interval([4 * score for score in values], statistic) == pytest.approx((4 * low, 4 * high), nan_ok=True)


def test_an_interval_moves_with_the_scores() -> None:
    values = np.random.default_rng(6).normal(0.5, 0.1, 9)
    low, high = bca_interval(values.tolist())
    assert bca_interval((values + 7).tolist()) == pytest.approx((low + 7, high + 7), abs=5e-4)
    assert bca_interval((values + 7).tolist(), "std") == pytest.approx(bca_interval(values.tolist(), "std"), abs=5e-4)


@settings(max_examples=25)
@given(scores, scores)
def test_no_interval_leaves_what_resamples_can_be(first: list[float], second: list[float]) -> None:
    for low, high, least, most in (
        (*bca_interval(first), min(first), max(first)),
        (*bca_interval(first, "std"), 0.0, np.ptp(first)),
        (*bca_difference(first, second), min(first) - max(second), max(first) - min(second)),
    ):
        assert math.isnan(low) or least - 1e-9 <= low <= high <= most + 1e-9


def test_it_is_scipys_with_other_draws() -> None:
    generator = np.random.default_rng(1)
    first, second = generator.gamma(2, 0.1, 15), generator.normal(0.3, 0.1, 12)
    expected = bootstrap(
        (first, second), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis), rng=np.random.default_rng(99)
    ).confidence_interval
    found = bca_difference(first.tolist(), second.tolist())
    assert found == pytest.approx((expected.low, expected.high), abs=0.004)
    assert bca_difference(first[:12].tolist(), second.tolist(), paired=True) == bca_interval((first[:12] - second).tolist())

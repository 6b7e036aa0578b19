from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from blurb_tune.stats.crossed import variance_shares


def test_mean_squares_are_those_of_statsmodels() -> None:
    table = np.random.default_rng(0).normal(size=(4, 6)) + np.arange(4)[:, None]
    rows, columns = np.indices(table.shape)
    data = pd.DataFrame({"score": table.ravel(), "row": rows.ravel(), "column": columns.ravel()})
    squares = anova_lm(ols("score ~ C(row) + C(column)", data).fit())["mean_sq"]
    rest = squares["Residual"]
    parts = [max(0.0, (squares["C(row)"] - rest) / 6), max(0.0, (squares["C(column)"] - rest) / 4), rest]
    found = variance_shares(table.tolist())
    assert [found.initialization, found.order, found.rest] == pytest.approx([part / sum(parts) for part in parts])


def test_the_shares_that_scores_were_made_with_are_found() -> None:
    """Standard deviations of 2, 1 and 1: two thirds, a sixth and a sixth of the variance, on average over many tables."""
    generator = np.random.default_rng(1)
    shares = []
    for _ in range(300):
        table = generator.normal(0, 2, (12, 1)) + generator.normal(0, 1, (1, 12)) + generator.normal(0, 1, (12, 12))
        found = variance_shares(table.tolist())
        shares.append((found.initialization, found.order, found.rest))
    assert np.mean(shares, axis=0) == pytest.approx([0.64, 0.17, 0.19], abs=0.03)


def test_one_source_alone_and_none() -> None:
    assert variance_shares([[1.0, 1.0], [3.0, 3.0]]).initialization == 1.0
    assert variance_shares([[1.0, 3.0], [1.0, 3.0]]).order == 1.0
    assert np.isnan(variance_shares([[1.0, 1.0], [1.0, 1.0]]).rest)


@pytest.mark.parametrize("scores", [[[1.0, 2.0]], [[1.0], [2.0]]])
def test_two_of_each_are_needed(scores: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="two seeds of each"):
        variance_shares(scores)


@pytest.mark.parametrize("score", [0.1, 0.7, 0.52898])
def test_scores_that_are_all_the_same_have_no_shares_by_rounding(score: float) -> None:
    assert math.isnan(variance_shares([[score] * 3] * 3).initialization)


def test_a_missing_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        variance_shares([[0.1, math.nan], [0.2, 0.3]])


@given(hnp.arrays(float, st.tuples(st.integers(2, 5), st.integers(2, 5)), elements=st.integers(0, 50).map(float)))
def test_shares_swap_with_the_seeds_and_know_no_unit(table: np.ndarray) -> None:
    assume(np.ptp(table) > 0)
    found, turned, scaled = (variance_shares(of.tolist()) for of in (table, table.T, 3 * table[::-1] + 5))
    assert found.initialization + found.order + found.rest == pytest.approx(1)
    assert (turned.order, turned.initialization) == pytest.approx((found.initialization, found.order))
    assert (scaled.initialization, scaled.order) == pytest.approx((found.initialization, found.order))

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import pearsonr

from blurb_tune.stats.correlation import seed_correlation

SCORES = hnp.arrays(
    float, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.one_of(st.floats(-1, 1), st.just(math.nan))
)


@given(SCORES)
@settings(max_examples=150, deadline=None)
def test_it_is_the_mean_of_scipy_s_over_all_pairs(scores: np.ndarray) -> None:
    scores = np.round(scores, 2)
    found = []
    for first, second in itertools.combinations(scores, 2):
        common = ~np.isnan(first) & ~np.isnan(second)
        if common.sum() >= 3 and min(np.ptp(first[common]), np.ptp(second[common])) > 1e-9:
            found.append(pearsonr(first[common], second[common]).statistic)
    result = seed_correlation(scores)
    assert result.pairs == len(found)
    assert result.mean == pytest.approx(np.mean(found) if found else math.nan, nan_ok=True, abs=1e-9)

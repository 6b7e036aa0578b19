"""Performance profiles against their definition, and their band against the binomial distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from blurb_tune.stats.intervals import wilson_interval
from blurb_tune.stats.profile import performance_profile

SCORES = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=12)


@given(SCORES, st.floats(-0.5, 1.5))
def test_it_is_the_share_above_each_score(scores: list[float], x: float) -> None:
    profile = performance_profile(scores)
    below = [index for index, score in enumerate(profile.scores) if score <= x]
    share = profile.shares[below[-1]] if below else 1.0
    assert share == pytest.approx(np.mean([score > x for score in scores]))


def test_by_hand() -> None:
    profile = performance_profile([0.2, 0.5, 0.5, 0.9])
    assert profile.scores == (0.2, 0.5, 0.9)
    assert profile.shares == (0.75, 0.25, 0.0)
    assert (profile.low[0], profile.high[0]) == wilson_interval(3, 4)
    assert profile.before == wilson_interval(4, 4)


@pytest.mark.parametrize("n", [5, 10, 50])
def test_the_band_covers_the_share_at_a_score_in_95_of_100_samples(n: int) -> None:
    """Exact, on average over scores: that many of n seeds are above a score is binomial. The bootstrap covers 65 to 92 %."""
    of = [performance_profile([1.0] * k + [0.0] * (n - k)) for k in range(n + 1)]
    low = np.array([profile.low[0] if k < n else profile.before[0] for k, profile in enumerate(of)])
    high = np.array([profile.high[0] if k < n else profile.before[1] for k, profile in enumerate(of)])
    counts, shares = np.arange(n + 1), np.linspace(0.005, 0.995, 199)
    covered = [float((binom.pmf(counts, n, p) * ((low <= p) & (p <= high))).sum()) for p in shares]
    assert 0.94 < np.mean(covered) < 0.96


@pytest.mark.parametrize("scores", [[], [float("nan")], [float("inf"), 1.0]])
def test_it_needs_finite_scores(scores: list[float]) -> None:
    with pytest.raises(ValueError, match=r"finite|at least one"):
        performance_profile(scores)

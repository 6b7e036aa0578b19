"""The time left as it is shown: calm, and right in the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.report.estimate import SteadyEstimate


@given(st.lists(st.floats(-0.1, 0.1), min_size=10, max_size=200), st.floats(100, 1e5))
def test_estimates_that_differ_a_little_let_it_count_down_like_a_clock(noise: list[float], whole: float) -> None:
    estimate, step = SteadyEstimate(), whole / 4 / len(noise)
    shown = []
    for index, off in enumerate(noise):
        now = index * step
        # The first sets the clock; the others differ from it by less than what is tolerated.
        left = (whole - now) * (1 + (off / 2 if index else 0.0))
        seconds = estimate.smooth(left, now)
        assert seconds is not None
        shown.append(seconds + now)
    assert shown == pytest.approx([whole] * len(shown))


@given(st.floats(0.1, 10.0))
def test_an_estimate_that_differs_for_good_is_reached_within_two_minutes_and_without_a_jump(factor: float) -> None:
    estimate = SteadyEstimate()
    before = estimate.smooth(10_000.0, 0.0)
    for half in range(1, 241):
        now = half / 2
        left = 10_000.0 * factor - now
        shown = estimate.smooth(left, now)
        assert shown is not None
        assert before is not None
        assert abs(shown - before) <= 0.5 + 0.03 * abs(left - before), "no frame differs much from the one before"
        before = shown
    assert shown == pytest.approx(left, rel=0.16)


def test_without_an_estimate_nothing_is_shown() -> None:
    estimate = SteadyEstimate()
    assert estimate.smooth(None, 0.0) is None
    assert estimate.smooth(10.0, 1.0) == 10.0
    assert estimate.smooth(None, 2.0) is None
    assert estimate.smooth(500.0, 3.0) == 500.0
    assert estimate.smooth(0.0, 1e9) == 0.0

"""Curves in a few characters."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.cli.spark import spark

LEVELS = "▁▂▃▄▅▆▇█"


def test_sparks() -> None:
    assert spark([0, 1, 2, 3, 4, 5, 6, 7], 8) == LEVELS
    assert spark([3.0, 2.0, 1.0], 8) == "█▅▁"
    assert spark([0.5], 8) == spark([0.5] * 3, 1) == "▅"
    assert spark([math.nan, 1.0, math.inf, 2.0], 8) == "x▁x█"
    assert spark([], 8) == ""
    assert spark(list(range(100)), 4) == "▁▃▆█"


@given(st.lists(st.floats(allow_nan=True), min_size=1, max_size=100), st.integers(1, 20))
def test_the_last_value_is_the_last_character_and_order_is_kept(values: list[float], width: int) -> None:
    text = spark(values, width)
    assert len(text) == min(len(values), width)
    assert (text[-1] == "x") == (not math.isfinite(values[-1]))
    levels = [LEVELS.index(character) for character in text if character != "x"]
    finite = [value for value in values if math.isfinite(value)]
    if len(values) <= width and finite:
        assert sorted(levels) == [level for _, level in sorted(zip(finite, levels, strict=True))]
